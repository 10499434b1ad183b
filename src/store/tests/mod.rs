//! The store as a whole, on real files.

mod crash;
mod damage;
mod failure;
mod faults;
mod promise;
