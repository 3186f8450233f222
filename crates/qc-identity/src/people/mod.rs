//! People: they sign in at an identity provider, and act by a session.

mod break_glass;
mod device;
mod provider;
mod session;
mod sessions;
mod settings;
mod sign_in;

pub use device::{DeviceAsks, DeviceStart, Polled};
pub use provider::Provider;
pub use session::Session;
pub use sessions::Sessions;
pub use settings::{ClientSecret, OidcSettings};
pub use sign_in::{Aim, Arrived, People, Redirect};
