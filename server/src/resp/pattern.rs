//! Glob patterns, as `KEYS`, `SCAN`, `PSUBSCRIBE` and others take them.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any bytes, also none |
//! | `?` | one byte |
//! | `[abc]` | one of these bytes; `[^abc]` any other; `[a-z]` and `[z-a]` a byte of the range |
//! | `\x` | the byte `x`, whatever it means elsewhere (also between brackets) |
//! | another byte | itself |
//!
//! A class that isn't closed ends with the pattern, and a `\` at the pattern's end is itself. Bounds of a range
//! compare as *signed* bytes, so that `[a-\xff]` is read as `[\xff-a]`: Redis compares C's `char`.

use memchr::memchr;

/// Whether the whole of `text` matches `pattern`; letters of ASCII equal each other's other case if `ignore_case`.
///
/// An empty text matches the empty pattern only, as in Redis, not even `*`. (Commands that take `*` to mean
/// everything ask [`matches_all`] first.)
///
/// O(pattern · text) at worst, whatever the number of `*`; linear if there is at most one. No allocation.
pub fn matches(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    if ignore_case {
        return matches_from::<true>(pattern, text);
    }
    let prefix = literal_prefix(pattern);
    let Some(rest) = text.strip_prefix(prefix) else {
        return false;
    };
    match &pattern[prefix.len()..] {
        [] => rest.is_empty(),
        b"*" => true,
        pattern => matches_from::<false>(pattern, rest),
    }
}

/// Whether `pattern` is `*`, which commands take to mean everything. O(1).
pub fn matches_all(pattern: &[u8]) -> bool {
    pattern == b"*"
}

/// The bytes at the pattern's start that mean themselves: each text that matches (case taken into account) starts
/// with them. If it is the whole pattern, no other text matches. O(prefix).
pub fn literal_prefix(pattern: &[u8]) -> &[u8] {
    let length = pattern.iter().position(|&byte| is_special(byte)).unwrap_or(pattern.len());
    &pattern[..length]
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'?' | b'[' | b'\\')
}

/// A pattern matches nothing that needs more `*` than this, as in Redis (which would otherwise nest too deep). Stars next
/// to each other count as one, and one at the end as none.
const STARS: usize = 1000;

/// Every part of a pattern but `*` takes exactly one byte. So when a part fails, only the latest `*` need take one
/// byte more: whatever an earlier one could take instead, the latest could take as well.
fn matches_from<const IGNORE_CASE: bool>(pattern: &[u8], text: &[u8]) -> bool {
    let mut unmatched = pattern;
    let mut rest = text;
    let mut stars = 0;
    // What follows the latest `*`, and the text from where that was last tried.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', behind @ ..] = unmatched {
            if behind.is_empty() {
                return true;
            }
            if behind[0] != b'*' {
                stars += 1;
                if stars > STARS {
                    return false;
                }
            }
            unmatched = behind;
            retry = Some((unmatched, rest));
            continue;
        }
        match (rest, unmatched) {
            ([], []) => return true,
            // The latest `*` would only leave less text.
            ([], _) => return false,
            ([byte, behind @ ..], [_, ..]) => {
                if let Some(next) = match_byte::<IGNORE_CASE>(unmatched, *byte) {
                    unmatched = next;
                    rest = behind;
                    continue;
                }
            }
            (_, []) => {}
        }
        let Some((after_star, tried)) = retry else {
            return false;
        };
        let mut tried = &tried[1..];
        match *after_star {
            // No use to try where the first byte differs.
            [first, ..] if !IGNORE_CASE && !is_special(first) => match memchr(first, tried) {
                Some(skipped) => tried = &tried[skipped..],
                None => return false,
            },
            _ => {}
        }
        unmatched = after_star;
        rest = tried;
        retry = Some((after_star, tried));
    }
}

/// Matches `byte` with the part at the start of `pattern`, which isn't empty, and answers with what follows that.
#[inline]
fn match_byte<const IGNORE_CASE: bool>(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (literal, behind) = match *pattern {
        [b'?', ref behind @ ..] => return Some(behind),
        [b'[', ref class @ ..] => {
            let (matched, behind) = match_class::<IGNORE_CASE>(class, byte);
            return matched.then_some(behind);
        }
        [b'\\', literal, ref behind @ ..] | [literal, ref behind @ ..] => (literal, behind),
        [] => return None,
    };
    (fold::<IGNORE_CASE>(literal) == fold::<IGNORE_CASE>(byte)).then_some(behind)
}

/// Whether `byte` is in the class, of which the opening bracket is behind us, and what follows the class.
fn match_class<const IGNORE_CASE: bool>(class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut rest) = match class {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let folded = fold::<IGNORE_CASE>(byte);
    let mut found = false;
    loop {
        match *rest {
            // An escaped byte is compared with its case even if cases are ignored, as in Redis.
            [b'\\', literal, ref behind @ ..] => {
                found |= literal == byte;
                rest = behind;
            }
            [b']', ref behind @ ..] => return (found != negated, behind),
            [] => return (found != negated, &[]),
            // The bound may even be the bracket that seems to close the class.
            [low, b'-', high, ref behind @ ..] => {
                let (low, high) = if low as i8 > high as i8 { (high, low) } else { (low, high) };
                let (low, high) = (fold::<IGNORE_CASE>(low) as i8, fold::<IGNORE_CASE>(high) as i8);
                found |= (low..=high).contains(&(folded as i8));
                rest = behind;
            }
            [literal, ref behind @ ..] => {
                found |= fold::<IGNORE_CASE>(literal) == folded;
                rest = behind;
            }
        }
    }
}

#[inline]
fn fold<const IGNORE_CASE: bool>(byte: u8) -> u8 {
    if IGNORE_CASE { byte.to_ascii_lowercase() } else { byte }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Tries every length for every `*`.
    fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', behind @ ..], _) => (0..=text.len()).any(|taken| matches_slowly(behind, &text[taken..])),
            ([], _) | (_, []) => false,
            (_, [byte, rest @ ..]) => {
                match_byte::<false>(pattern, *byte).is_some_and(|behind| matches_slowly(behind, rest))
            }
        }
    }

    #[test]
    fn parts() {
        for (pattern, text, expected) in [
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*", "a", true),
            ("a**", "abc", true),
            ("*c", "abcc", true),
            ("*b*d", "abcd", true),
            ("*b*d", "abdc", false),
            ("a[bc]", "ac", true),
            ("a[^bc]", "ac", false),
            ("a[^bc]", "ad", true),
            ("[a-c]", "b", true),
            ("[c-a]", "b", true),
            ("[a-]", "]", true),
            ("[a-]", "_", true),
            ("[a-]", "-", false),
            ("[-a]", "-", true),
            ("[a", "a", true),
            ("[", "[", false),
            ("[^", "x", true),
            ("[]", "]", false),
            (r"[\]]", "]", true),
            (r"[\", r"\", true),
            (r"[\a-c]", "b", false),
            (r"[\a-c]", "-", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"\", r"\", true),
            (r"a\", r"a\", true),
            ("*", "", false),
            ("", "", true),
            ("", "a", false),
            ("abc", "ab", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes(), false), expected, "{pattern} {text}");
        }
        // Signed bounds: from -1 down to -128, up to 0x7f.
        assert!(matches(b"[\x80-\xff]", b"\x90", false));
        assert!(!matches(b"[a-\xff]", b"\x90", false));
        assert!(matches(b"[a-\xff]", b"\x01", false));
    }

    #[test]
    fn cases() {
        assert!(!matches(b"Abc", b"aBC", false));
        for pattern in ["Abc", "A*C", "[A-C]bc", "[AX]bc", "?BC"] {
            assert!(matches(pattern.as_bytes(), b"aBc", true), "{pattern}");
        }
        assert!(!matches(br"[\A]bc", b"abc", true));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let text = [b'a'; 20_000];
        assert!(!matches(b"a*a*a*a*a*a*a*a*b", &text, false));
        assert!(!matches(b"a*a*a*a*a*a*a*a*b", &text, true));
        assert!(!matches(&b"*?".repeat(64), &text[..63], false));
    }

    #[test]
    fn too_many_stars_match_nothing() {
        let text = [b'a'; 5000];
        for (stars, matched) in [(1000, true), (1001, false)] {
            assert_eq!(matches(&b"*a".repeat(stars), &text, false), matched);
            assert_eq!(matches(&b"**a".repeat(stars), &text, true), matched);
            assert!(matches(&[&b"a*".repeat(1000)[..], b"a*"].concat(), &text, false));
        }
    }

    #[test]
    fn prefixes() {
        assert_eq!(literal_prefix(b"user:*"), b"user:");
        assert_eq!(literal_prefix(b"*"), b"");
        assert_eq!(literal_prefix(b"key"), b"key");
        assert_eq!(literal_prefix(br"a\b"), b"a");
        assert!(matches_all(b"*") && !matches_all(b"**"));
    }

    fn bytes_of(alphabet: &'static [u8], length: usize) -> impl Strategy<Value = Vec<u8>> {
        vec(proptest::sample::select(alphabet), 0..length)
    }

    proptest! {
        #[test]
        fn backtracking_misses_nothing(
            pattern in prop_oneof![bytes_of(b"ab*?", 8), bytes_of(b"aab**?[]^-\\", 10)],
            text in bytes_of(b"aab-]", 10),
        ) {
            let expected = if text.is_empty() { pattern.is_empty() } else { matches_slowly(&pattern, &text) };
            prop_assert_eq!(matches(&pattern, &text, false), expected);
            // Nothing here has an upper case.
            if !pattern.contains(&b'\\') && !pattern.contains(&b'-') {
                prop_assert_eq!(matches(&pattern.to_ascii_uppercase(), &text, true), expected);
            }
        }

        #[test]
        fn any_bytes_will_do(pattern in vec(any::<u8>(), 0..20), text in vec(any::<u8>(), 0..20)) {
            if matches(&pattern, &text, false) {
                prop_assert!(text.starts_with(literal_prefix(&pattern)));
            }
            matches(&pattern, &text, true);
        }

        #[test]
        fn an_escaped_text_matches_only_itself(text in vec(any::<u8>(), 0..20), other in vec(any::<u8>(), 0..20)) {
            let pattern: Vec<u8> = text.iter().flat_map(|&byte| [b'\\', byte]).collect();
            prop_assert!(matches(&pattern, &text, false));
            prop_assert_eq!(matches(&pattern, &other, false), text == other);
        }
    }
}
