//! Keeps a panic where it happens. A panic is always our fault, and must not take other runs along.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use tokio::task::JoinError;

/// Does the work; what it said when it panicked, if it did, as far as that stands in the program as it is: what is made
/// of values could be anybody's data. What the work shared must be whole
/// after a panic at any point: our callers only share locks that tolerate one, and lists.
pub(crate) async fn caught<F: Future>(work: F) -> Result<F::Output, String> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(said(&*panic))),
    })
    .await
}

/// Does something when its scope ends, however that comes.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// How a task of its own broke off. The error itself would repeat what the panic said.
pub(crate) fn how(broken: &JoinError) -> &'static str {
    if broken.is_panic() { SILENT } else { "it was cancelled" }
}

const SILENT: &str = "it panicked; the report of the crash says where";

fn said(panic: &(dyn Any + Send)) -> String {
    (*panic.downcast_ref::<&'static str>().unwrap_or(&SILENT)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_says_what_stands_in_the_program_and_no_value() {
        let value = "of somebody".to_owned();
        let formatted = caught(async { panic!("it was {value}") }).await;
        assert_eq!(formatted, Err::<(), _>(SILENT.to_owned()));
        let fixed = caught(async { panic!("as it stands") }).await;
        assert_eq!(fixed, Err::<(), _>("as it stands".to_owned()));
        let alone = tokio::spawn(async move { assert_eq!(value, "of nobody") }).await;
        assert_eq!(how(&alone.unwrap_err()), SILENT);
    }
}
