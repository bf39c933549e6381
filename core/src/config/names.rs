//! Names that become parts of paths and arguments.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use thiserror::Error;

/// Why something cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name must not be empty")]
    Empty,
    /// More bytes than allowed.
    #[error("a name must not be longer than {limit} bytes")]
    TooLong {
        /// The most bytes.
        limit: usize,
    },
    /// A character that would make it a path, or end it, or garble a log.
    #[error("a name must not contain {0:?}")]
    Forbidden(char),
    /// A directory's own names.
    #[error("a name must not be \".\" or \"..\"")]
    Dots,
    /// It would look like an option on a command line.
    #[error("a tag must not begin with a hyphen")]
    Hyphen,
}

/// Says whether `name` is safe as one part of a path.
fn check(name: &str, limit: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > limit {
        return Err(NameError::TooLong { limit });
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    match name.chars().find(|c| *c == '/' || c.is_control()) {
        Some(c) => Err(NameError::Forbidden(c)),
        None => Ok(()),
    }
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type!(
    /// An app's name, or a profile's: one part of a path, 1 to [`AppName::LIMIT`] bytes, without
    /// `/` and control characters, not `.` or `..`.
    AppName
);

impl AppName {
    /// The most bytes of a name.
    pub const LIMIT: usize = 128;

    /// Takes `name` if it can be one.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        check(name, Self::LIMIT)?;
        Ok(Self(name.to_owned()))
    }
}

name_type!(
    /// A worker's name: a uuid, or the tag that a request asked for. As safe as an [`AppName`],
    /// 1 to [`Tag::LIMIT`] bytes, and no option when it stands on a command line.
    Tag
);

impl Tag {
    /// The most bytes of a tag.
    pub const LIMIT: usize = 64;

    /// Takes `tag` if it can be one.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn new(tag: &str) -> Result<Self, NameError> {
        check(tag, Self::LIMIT)?;
        if tag.starts_with('-') {
            return Err(NameError::Hyphen);
        }
        Ok(Self(tag.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_safe_part_of_a_path() {
        for good in ["echo", "Echo_v1.2-3", "...", "-x", "a b", "эхо", &"x".repeat(128)] {
            assert_eq!(AppName::new(good).map(|name| name.as_str().to_owned()), Ok(good.to_owned()));
        }
        let bad = [
            ("", NameError::Empty),
            (".", NameError::Dots),
            ("..", NameError::Dots),
            ("../etc", NameError::Forbidden('/')),
            ("a\0b", NameError::Forbidden('\0')),
            ("a\nb", NameError::Forbidden('\n')),
        ];
        for (name, error) in bad {
            assert_eq!(AppName::new(name), Err(error));
        }
        assert_eq!(AppName::new(&"x".repeat(129)), Err(NameError::TooLong { limit: 128 }));
    }

    #[test]
    fn tags_are_no_options() {
        assert!(Tag::new("0e5a1c2e-73a0-4d86-9d3c-0c2f8b2f2a11").is_ok());
        assert_eq!(Tag::new("--endpoint"), Err(NameError::Hyphen));
        assert_eq!(Tag::new("a/b"), Err(NameError::Forbidden('/')));
        assert_eq!(Tag::new(&"x".repeat(65)), Err(NameError::TooLong { limit: 64 }));
    }
}
