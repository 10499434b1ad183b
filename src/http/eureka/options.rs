//! What an operator decides about Eureka's interface.

/// The operator's settings of Eureka's interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether it is there at all.
    pub enabled: bool,
    /// Whether its clients see what was registered by other interfaces, too.
    pub expose: bool,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self { enabled: true, expose: true }
    }
}
