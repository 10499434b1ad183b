//! The wire format against what clients send and expect, in both forms.

mod applications;
mod clients;
mod golden;
mod limits;
mod properties;
mod registration;
mod sloppiness;
mod support;
