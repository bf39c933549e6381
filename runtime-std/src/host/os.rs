//! Errors of the operating system in few words, and in the core's numbers.

use std::io;

use rustix::io::Errno;

/// The number of an error, or `EIO` where the system gave none.
pub(crate) fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or_else(|| match error.kind() {
        io::ErrorKind::NotFound => Errno::NOENT.raw_os_error(),
        io::ErrorKind::PermissionDenied => Errno::ACCESS.raw_os_error(),
        io::ErrorKind::AlreadyExists => Errno::EXIST.raw_os_error(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Errno::INVAL.raw_os_error(),
        _ => Errno::IO.raw_os_error(),
    })
}

/// What the system calls the error, beginning in lower case and without the number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Makes names of files and directories durable, not only their contents.
pub(crate) fn sync_directory(path: &std::path::Path) -> io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
