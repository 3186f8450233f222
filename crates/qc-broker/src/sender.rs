use crate::{Fault, Outgoing, Outlet, Sink};

/// Sends over a sink, over one connection for as long as it holds.
pub(crate) struct Sender<S> {
    sink: S,
    outlet: Option<Box<dyn Outlet>>,
}

impl<S: Sink> Sender<S> {
    /// Connects when there is something to send.
    pub(crate) fn new(sink: S) -> Self {
        Self { sink, outlet: None }
    }

    /// Connects, when there is no connection.
    pub(crate) async fn open(&mut self) -> Result<(), Fault> {
        if self.outlet.is_none() {
            self.outlet = Some(self.sink.open().await?);
        }
        Ok(())
    }

    /// Sends messages in order. Answers how many of them, from the first on, are in the broker's care, and why not all.
    /// After a fault the next call connects anew.
    pub(crate) async fn send(&mut self, batch: &[Outgoing]) -> (usize, Result<(), Fault>) {
        if let Err(fault) = self.open().await {
            return (0, Err(fault));
        }
        let Some(outlet) = &mut self.outlet else { return (0, Ok(())) };
        let (sent, result) = outlet.send(batch).await;
        if result.is_err() {
            self.outlet = None;
        }
        (sent, result)
    }

    /// Ends the connection in order.
    pub(crate) async fn close(&mut self) {
        if let Some(mut outlet) = self.outlet.take() {
            outlet.close().await;
        }
    }
}
