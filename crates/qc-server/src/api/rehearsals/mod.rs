//! Past runs, played on another release; and fixtures made of what came in.

pub(super) mod play;
pub(super) mod record;

use super::route::{Parameter, path};

const ENVIRONMENT: Parameter = path("environment", "The environment in which the runs were");
const INTEGRATION: Parameter = path("integration", "The integration");
