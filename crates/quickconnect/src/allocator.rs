//! The memory that the program takes and gives back.

use std::{hint::black_box, time::Duration};

/// Many small allocations of many threads are what a server of events does: the system's allocator is slower at it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often freed memory is given back.
const EVERY: Duration = Duration::from_secs(5);

/// Larger than anything that the allocator keeps for one thread, so that it comes from and goes back to what all share.
const LARGE: usize = 64 * 1024 * 1024;

/// Gives freed memory back to the operating system, again and again.
///
/// The allocator returns what has been free for a second, but looks at it only when a large block is freed. Compiling a
/// release frees tens of megabytes in small pieces, and a server that then idles would hold them for ever. Reserving a
/// large block and freeing it, untouched, makes the allocator look.
pub(crate) async fn give_back() {
    loop {
        tokio::time::sleep(EVERY).await;
        drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    }
}
