//! The atomic operations in the crate's source, with their orderings and the comments that argue them.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::Visit;

/// What an operation does, as far as orderings go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Load,
    Store,
    ReadModifyWrite,
    Fence,
}

/// One ordering of an operation: a compare-and-swap has two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// From `src/` on.
    pub(crate) file: String,
    /// Where the compiler says that the call is, from 1.
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) function: String,
    /// What is called on what.
    pub(crate) code: String,
    /// How many of the same name, in the same function, are before it.
    pub(crate) earlier: usize,
    pub(crate) orders: Vec<Order>,
    /// What is written above it; empty if nothing is.
    pub(crate) comment: String,
}

impl Operation {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}:{}", self.file, self.line, self.column)
    }

    /// The same as long as the function and its operations are.
    pub(crate) fn name(&self) -> String {
        let nth = if self.earlier > 0 { format!(" ({})", self.earlier + 1) } else { String::new() };
        format!("`{}`: `{}`{nth}", self.function, self.code)
    }

    pub(crate) fn orderings(&self) -> String {
        match self.orders.as_slice() {
            [one] => one.name.clone(),
            [success, failure] => format!("{}, {} on failure", success.name, failure.name),
            _ => unreachable!("an operation has one ordering or two"),
        }
    }

    /// All ways to weaken it by one step.
    pub(crate) fn weakenings(&self) -> Vec<(usize, &'static str)> {
        let steps = |order: &Order| -> &'static [&'static str] {
            match (order.kind, order.name.as_str()) {
                (_, "Relaxed") => &[],
                // Relaxed: taken out.
                (Kind::Fence, _) | (_, "Acquire" | "Release") => &["Relaxed"],
                (Kind::Load, _) => &["Acquire"],
                (Kind::Store, _) => &["Release"],
                (Kind::ReadModifyWrite, "AcqRel") => &["Acquire", "Release"],
                (Kind::ReadModifyWrite, _) => &["AcqRel"],
            }
        };
        let all = self.orders.iter().enumerate();
        all.flat_map(|(which, order)| steps(order).iter().map(move |weaker| (which, *weaker))).collect()
    }
}

/// All operations in `src`, in the order of files and lines. Those of the facade are its users'; what it has of its own is in its `mod.rs`.
/// Those in `tests.rs` need no argument.
pub(crate) fn operations(src: &Path) -> Result<Vec<Operation>, String> {
    let mut files = Vec::new();
    collect_files(src, &mut files)?;
    files.sort();
    let mut operations = Vec::new();
    for path in files {
        let file = path.strip_prefix(src).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if file.starts_with("sync/") && file != "sync/mod.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        operations.extend(in_file(&file, &text)?);
    }
    Ok(operations)
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn in_file(file: &str, text: &str) -> Result<Vec<Operation>, String> {
    let parsed = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
    let mut visitor =
        Visitor { file, lines: text.lines().collect(), function: String::new(), operations: Vec::new(), orderings: 0 };
    visitor.visit_file(&parsed);
    let found: usize = visitor.operations.iter().map(|operation| operation.orders.len()).sum();
    let fences = visitor.operations.iter().filter(|operation| operation.code == FENCE_AFTER).count();
    if found - fences != visitor.orderings {
        return Err(format!(
            "{file}: an ordering stands somewhere else than in a call of an atomic's method or of fence"
        ));
    }
    Ok(visitor.operations)
}

const FENCE_AFTER: &str = "fence_after_read_modify_write";

struct Visitor<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    function: String,
    operations: Vec<Operation>,
    /// How many orderings there are, wherever they stand.
    orderings: usize,
}

impl Visitor<'_> {
    fn add(&mut self, at: proc_macro2::Span, code: String, orders: Vec<Order>) {
        let start = at.start();
        let (function, file) = (self.function.clone(), self.file.to_owned());
        let same = |other: &&Operation| other.function == function && other.code == code;
        let earlier = self.operations.iter().filter(same).count();
        let comment = comment_above(&self.lines, start.line - 1);
        self.operations.push(Operation {
            file,
            line: start.line,
            column: start.column + 1,
            function,
            code,
            earlier,
            orders,
            comment,
        });
    }

    fn in_function(&mut self, name: &syn::Ident, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.function, name.to_string());
        visit(self);
        self.function = outer;
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let test = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(test)
}

fn ordering(expression: &syn::Expr) -> Option<String> {
    let syn::Expr::Path(path) = expression else { return None };
    let segments: Vec<_> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    match segments.as_slice() {
        [ordering, name] if ordering == "Ordering" => Some(name.clone()),
        _ => None,
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_test(&module.attrs) {
            syn::visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.in_function(&function.sig.ident, |visitor| syn::visit::visit_item_fn(visitor, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.in_function(&function.sig.ident, |visitor| syn::visit::visit_impl_item_fn(visitor, function));
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        // `core::cmp` has one too.
        let is_atomic = |name: String| ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"].contains(&name.as_str());
        self.orderings += usize::from(ordering(&syn::Expr::Path(path.clone())).is_some_and(is_atomic));
        syn::visit::visit_expr_path(self, path);
    }

    // What is in a macro's call is not parsed, only looked through.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let text: String = call.tokens.to_string().split_whitespace().collect();
        let names = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
        self.orderings += names.iter().map(|name| text.matches(&format!("Ordering::{name}")).count()).sum::<usize>();
        self.orderings += text.matches(FENCE_AFTER).count();
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let names: Vec<String> = call.args.iter().filter_map(ordering).collect();
        if !names.is_empty() {
            let kind = match call.method.to_string().as_str() {
                "load" => Kind::Load,
                "store" => Kind::Store,
                _ => Kind::ReadModifyWrite,
            };
            let kinds = [kind, Kind::Load];
            let orders = names.into_iter().zip(kinds).map(|(name, kind)| Order { kind, name }).collect();
            let receiver = call.receiver.span().source_text().unwrap_or_default();
            let receiver: String = receiver.split_whitespace().collect();
            let receiver = receiver.strip_prefix("self.").unwrap_or(&receiver);
            self.add(call.method.span(), format!("{receiver}.{}", call.method), orders);
        }
        syn::visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            let names: Vec<String> = call.args.iter().filter_map(ordering).collect();
            let fence = |name: String| vec![Order { kind: Kind::Fence, name }];
            if function.path.is_ident(FENCE_AFTER) {
                self.add(function.span(), FENCE_AFTER.into(), fence("SeqCst".into()));
            } else if let (true, [name]) = (function.path.is_ident("fence"), names.as_slice()) {
                self.add(function.span(), "fence".into(), fence(name.clone()));
            }
        }
        syn::visit::visit_expr_call(self, call);
    }
}

/// The nearest comment above a line of the same function that speaks of orderings.
fn comment_above(lines: &[&str], line: usize) -> String {
    let is_comment = |line: &str| line.trim_start().starts_with("// ");
    let mut at = line;
    while at > 0 {
        at -= 1;
        let text = lines[at].trim_start();
        if text.contains("fn ") && !is_comment(text) {
            break;
        }
        if !is_comment(text) {
            continue;
        }
        let end = at + 1;
        while at > 0 && is_comment(lines[at - 1]) {
            at -= 1;
        }
        let words: Vec<&str> = lines[at..end].iter().map(|line| line.trim_start().trim_start_matches("// ")).collect();
        let comment = words.join(" ");
        let speaks =
            ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst", "fence"].iter().any(|word| comment.contains(word));
        if speaks && !comment.starts_with("SAFETY") {
            return comment;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::in_file;

    const SOURCE: &str = "
impl Queue {
    fn take(&self) {
        // Relaxed: the exchange decides.
        let word = self.word.load(Ordering::Relaxed);
        // SAFETY: no words on orderings, so the next is that of the fence.
        // AcqRel: all of it.
        self.word
            .compare_exchange(word, 0, Ordering::AcqRel, Ordering::Acquire);
        // The fence: for the next look.
        fence_after_read_modify_write();
        let order = 1.cmp(2) == Ordering::Less;
    }
    fn again(&self) -> bool {
        self.word.load(Ordering::Acquire)
    }
}
#[cfg(test)]
mod tests {
    fn test() { WORD.load(Ordering::SeqCst); }
}
";

    #[test]
    fn operations_are_found_with_what_argues_them() {
        let found = in_file("queue.rs", SOURCE).unwrap();
        let names: Vec<_> =
            found.iter().map(|operation| (operation.name(), operation.orderings(), operation.place())).collect();
        let expected = [
            ("`take`: `word.load`", "Relaxed", "queue.rs:5:30"),
            ("`take`: `word.compare_exchange`", "AcqRel, Acquire on failure", "queue.rs:9:14"),
            ("`take`: `fence_after_read_modify_write`", "SeqCst", "queue.rs:11:9"),
            ("`again`: `word.load`", "Acquire", "queue.rs:15:19"),
        ];
        let expected: Vec<_> = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).into();
        assert_eq!(names, expected);
        assert_eq!(found[0].comment, "Relaxed: the exchange decides.");
        assert_eq!(found[2].comment, "The fence: for the next look.");
        assert_eq!(found[3].comment, "", "that of another function is not its");
        assert_eq!(found[0].weakenings(), []);
        assert_eq!(found[1].weakenings(), [(0, "Acquire"), (0, "Release"), (1, "Relaxed")]);
        assert_eq!(found[2].weakenings(), [(0, "Relaxed")]);
    }

    #[test]
    fn an_ordering_that_is_not_seen_is_an_error() {
        let hidden = "fn hide(word: &AtomicU32) { let order = Ordering::Relaxed; word.load(order); }";
        assert!(in_file("hidden.rs", hidden).unwrap_err().contains("somewhere else"));
        let hidden = "fn hide(word: &AtomicU32) { assert!(word.load(Ordering::Acquire) > 0); }";
        assert!(in_file("hidden.rs", hidden).unwrap_err().contains("somewhere else"));
    }
}
