//! Access tokens of services: who gets one, which of them count, and what ends them.

mod access;
mod assertions;
mod clients;
mod forge;
mod world;
