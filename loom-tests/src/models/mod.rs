//! One file a part. Each model says which weakening makes it fail: seen by making it and running the model.

mod check;
mod combiner;
mod log;
mod membership;
mod rwlock;
mod set_once;
mod structure;

/// Runs a model over all executions with at most three preemptions, the depth at which known bugs of this kind show;
/// `LOOM_MAX_PREEMPTIONS` sets another bound.
fn check(model: impl Fn() + Sync + Send + 'static) {
    check_within(3, model);
}

/// As [`check`], for models so large that fewer preemptions have to do. Prints how many executions there were.
fn check_within(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 100_000;
    // The program's own atomic, which is no part of the model.
    let executions = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = std::sync::Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        model();
    });
    println!("{} executions", executions.load(std::sync::atomic::Ordering::Relaxed));
}
