//! What takes long to free.

/// Frees in a thread of its own. Erlang lets go of a resource while it collects garbage, on a normal
/// scheduler: freeing a million posts there would take too long.
pub fn drop_aside(value: impl Send + 'static) {
    // Where there is no thread to be had it is dropped here.
    let _ = std::thread::Builder::new().spawn(move || drop(value));
}
