//! The memory that the program takes and gives back.

use std::{
    cell::Cell,
    hint::black_box,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

/// Many small allocations of many threads are what a server of events does: the system's allocator is slower at it.
///
/// It is built without huge pages (`no_thp`): they make two megabytes resident for the first byte that is used of them,
/// and the kernel fills them up again after they were given back in part, so that an idle server grows.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often freed memory is given back.
const EVERY: Duration = Duration::from_secs(5);

/// How long a thread for blocking work rests before it ends, and all that it has freed goes back with it. Shorter than the
/// time between two of the looks that a server takes at its store all the while: they would keep every such thread alive.
pub(crate) const REST: Duration = Duration::from_millis(200);

/// More than any machine has, and no more than a request may ask for: always refused.
const TOO_MUCH: usize = usize::MAX / 4;

thread_local! {
    /// When this thread gave back last.
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What a thread of the runtime does before it rests: it gives back what it has freed, now and then.
///
/// For each thread and size the allocator keeps what was freed for the next request, and looks at it only at later
/// requests; a thread that rests after it took in a release of many megabytes makes none. When the allocator cannot
/// satisfy a request it first collects all that is free, of this thread and of what all share, and returns it to the
/// system: so the thread asks for more than there can be.
pub(crate) fn give_back() {
    let now = Instant::now();
    if LAST.get().is_none_or(|last| now.duration_since(last) >= EVERY) {
        LAST.set(Some(now));
        let mut none: Vec<u8> = Vec::new();
        let refused = none.try_reserve_exact(TOO_MUCH);
        drop(black_box((none, refused)));
    }
}

/// Wakes the threads of the runtime from time to time, so that those that rest after a busy time give back, too.
pub(crate) async fn wake_to_give_back() {
    let threads = Handle::current().metrics().num_workers();
    loop {
        tokio::time::sleep(EVERY).await;
        for _ in 0..threads {
            tokio::spawn(async {});
        }
    }
}
