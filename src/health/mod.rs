//! Checking: active probes of the instances.
