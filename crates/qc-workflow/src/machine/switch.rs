//! `switch`: the first case whose condition holds says where the flow goes.

use serde_json::Value;

use super::{fault::Fault, frame::FrameId, step::Step, view::Sight};
use crate::program::{Expr, Flow};

impl Step<'_> {
    /// The flow of the matching case; None when none matches and there is no case without `when`.
    pub(super) fn choose(
        &self,
        id: FrameId,
        cases: &[(Expr, Flow)],
        fallback: Option<Flow>,
        input: &Value,
    ) -> Result<Option<Flow>, Fault> {
        for (when, flow) in cases {
            if self.test(id, when, input, Sight::default(), "when")? {
                return Ok(Some(*flow));
            }
        }
        Ok(fallback)
    }
}
