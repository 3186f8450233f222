//! Schedules: when runs begin by themselves.

pub(super) mod list;
pub(super) mod pause;

use super::route::{Parameter, path};

const ENVIRONMENT: Parameter = path("environment", "The environment");
const INTEGRATION: Parameter = path("integration", "The integration");
const TRIGGER: Parameter = path("trigger", "The trigger");
