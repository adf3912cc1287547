//! Work side by side.

/// Does parts of some work at once, the first on this thread and each other one on a thread of its own; one for which no thread is to be had is
/// done here. `work` gets a part's number, 0 to `count` - 1; the results are in that order.
///
/// # Panics
/// As `work` does: a part that panics takes everything with it, as it would on one thread.
pub fn side_by_side<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let work = &work;
    std::thread::scope(|scope| {
        let begun = |part| std::thread::Builder::new().spawn_scoped(scope, move || work(part)).map_err(|_| part);
        let running: Vec<_> = (1..count).map(begun).collect();
        let first = (count > 0).then(|| work(0));
        let others = running.into_iter().map(|begun| match begun {
            Ok(running) => running.join().unwrap_or_else(|why| std::panic::resume_unwind(why)),
            Err(part) => work(part),
        });
        first.into_iter().chain(others).collect()
    })
}
