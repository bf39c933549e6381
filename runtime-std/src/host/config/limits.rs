//! Every limit of the daemon, by name.

use super::ConfigError;
use super::node::Kind;
use super::setting::Setting;
use super::source::Section;

macro_rules! limits {
    ($($(#[$doc:meta])* $field:ident $name:literal = $default:expr, $min:expr, $max:expr;)*) => {
        /// Bounds on what others may make the daemon keep or do. Each is a key of `[limits]`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[$doc])* pub $field: Setting<u64>,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: Setting::default($default),)* }
            }
        }

        impl Limits {
            /// Names and values, in the order of the documentation.
            pub fn all(&self) -> Vec<(&'static str, &Setting<u64>)> {
                vec![$(($name, &self.$field),)*]
            }

            /// Takes what a table of a file says.
            pub(crate) fn take(&mut self, section: &mut Section<'_>) -> Result<(), ConfigError> {
                $(section.set($name, &mut self.$field, |node| number(&node.kind, $min, $max))?;)*
                Ok(())
            }
        }
    };
}

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

limits! {
    /// Bytes of one frame; a peer that declares more is disconnected.
    frame_bytes "frame-bytes" = 64 * MIB, 64 * KIB, GIB;
    /// Containers inside each other in one frame.
    depth "depth" = 32, 8, 32;
    /// Bytes of one frame's headers, expanded.
    header_bytes "header-bytes" = 64 * KIB, KIB, 16 * MIB;
    /// Headers of one frame.
    headers "headers" = 256, 8, 65_536;
    /// Live channels of one connection.
    channels "channels" = 65_536, 1, 16 * MIB;
    /// Bytes waiting for one connection before its sources are slowed down.
    soft_bytes "soft-bytes" = MIB, 64 * KIB, GIB;
    /// Bytes waiting for one channel before it ends with an error.
    channel_bytes "channel-bytes" = 8 * MIB, 64 * KIB, GIB;
    /// Bytes waiting in one app before requests are refused.
    app_bytes "app-bytes" = 256 * MIB, MIB, 1024 * GIB;
    /// Client connections of one app, or of one service.
    clients "clients" = 16 * KIB, 1, MIB;
    /// Connections on one app's workers' socket that have not said who they are.
    strangers "strangers" = 256, 1, MIB;
    /// Crash logs of one app that stay in the storage.
    crash_logs "crash-logs" = 100, 1, MIB;
    /// Bytes of one stored value.
    value_bytes "value-bytes" = 512 * MIB, KIB, 16 * GIB;
    /// Entries of an app's archive.
    archive_entries "archive-entries" = 100_000, 1, 10_000_000;
    /// Bytes of one file of an app's archive, unpacked.
    archive_file_bytes "archive-file-bytes" = 2 * GIB, KIB, 1024 * GIB;
    /// Bytes of an app's archive, unpacked.
    archive_bytes "archive-bytes" = 8 * GIB, KIB, 1024 * GIB;
    /// Directories inside each other in an app's archive.
    archive_depth "archive-depth" = 64, 1, 1024;
    /// Lines that may wait for a slow log file or terminal; more are counted and dropped.
    log_queue "log-queue" = 8192, 16, MIB;
}

/// A whole number within bounds.
pub(crate) fn number(kind: &Kind, min: u64, max: u64) -> Result<u64, String> {
    match kind {
        Kind::Uint(number) if (min..=max).contains(number) => Ok(*number),
        other => Err(format!("must be a whole number from {min} to {max}, not {}", other.describe())),
    }
}
