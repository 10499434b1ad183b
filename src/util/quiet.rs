//! Catching a panic that is expected, without the message that panics print.
//!
//! The hook that prints is one for the whole process and runs before anything is caught. A hook
//! that is put in place only for a while would also silence what other threads have to say
//! meanwhile; the one here stays, and is quiet only on a thread that asks for it.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    sync::Once,
    thread,
};

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` and catches its panic, which prints nothing. Whoever calls this says what the panic
/// means, and that nothing half done by it is used again.
///
/// # Errors
/// What `work` panicked with.
pub fn catch_quietly<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // Without its thread-local memory a thread is at its end, and nothing is caught there.
            if !IS_QUIET.try_with(Cell::get).unwrap_or(false) {
                print(info);
            }
        }));
    });
    let before = IS_QUIET.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(before);
    outcome
}

#[cfg(test)]
mod tests {
    use super::{IS_QUIET, catch_quietly};

    #[test]
    fn only_the_work_itself_is_quiet_and_only_on_its_thread() {
        let caught = catch_quietly(|| {
            let elsewhere = std::thread::spawn(|| IS_QUIET.get()).join().unwrap();
            assert!(IS_QUIET.get() && !elsewhere);
            let inner = catch_quietly(|| panic!("inner"));
            assert!(inner.is_err() && IS_QUIET.get(), "still within the outer work");
            panic!("outer");
        });
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"outer"));
        assert!(!IS_QUIET.get());
        assert_eq!(catch_quietly(|| 7).unwrap(), 7);
    }
}
