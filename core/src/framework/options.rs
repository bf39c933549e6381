//! The command line that the runtime gives a worker.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use thiserror::Error;

use super::{SessionConfig, SessionLimits, SessionTimeouts};
use crate::machine::Endpoint;
use crate::wire::Dialect;

/// The options every worker is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The app's name.
    pub app: String,
    /// The path of the Unix socket to connect to.
    pub endpoint: String,
    /// The locators, `host:port` each, best first.
    pub locators: Vec<String>,
    /// The dialect to speak: without the option, the older one.
    pub protocol: Dialect,
    /// Who we are.
    pub uuid: String,
}

/// A command line that no runtime would give: most likely somebody started the worker by hand.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// An option is missing, or its value is.
    #[error(
        "{0} is missing: a worker is started by its runtime, with --app, --endpoint, --locator, --protocol and --uuid"
    )]
    Missing(&'static str),
    /// The dialect is not known.
    #[error("--protocol must be 0 or 1, not {0:?}")]
    Protocol(String),
}

/// Where a locator is looked for if the runtime names none.
const DEFAULT_LOCATOR: &str = "127.0.0.1:10053";

impl Options {
    /// Reads the options from the arguments behind the program's name. What is not known is ignored.
    ///
    /// # Errors
    /// `--app`, `--endpoint` or `--uuid` is missing, or `--protocol` is neither 0 nor 1.
    pub fn from_args(args: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, OptionsError> {
        let args: Vec<String> = args.into_iter().map(Into::into).collect();
        let required = |name| value(&args, name).ok_or(OptionsError::Missing(name));
        let protocol = match value(&args, "--protocol").as_deref() {
            None | Some("0") => Dialect::V0,
            Some("1") => Dialect::V1,
            Some(other) => return Err(OptionsError::Protocol(other.to_string())),
        };
        Ok(Self {
            app: required("--app")?,
            endpoint: required("--endpoint")?,
            locators: locators(&value(&args, "--locator").unwrap_or_else(|| DEFAULT_LOCATOR.into())),
            protocol,
            uuid: required("--uuid")?,
        })
    }

    /// A session as these options want it, with the usual timeouts and bounds.
    #[must_use]
    pub fn session(&self) -> SessionConfig {
        SessionConfig {
            endpoint: Endpoint::Unix(self.endpoint.clone()),
            uuid: self.uuid.clone(),
            protocol: self.protocol,
            timeouts: SessionTimeouts::default(),
            limits: SessionLimits::default(),
        }
    }
}

/// The value of an option, given as `--name value` or `--name=value`.
fn value(args: &[String], name: &str) -> Option<String> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == name {
            return args.next().cloned();
        }
        if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.into());
        }
    }
    None
}

fn locators(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|locator| !locator.is_empty()).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: [&str; 10] = [
        "--app",
        "echo",
        "--endpoint",
        "/run/echo.sock",
        "--locator",
        "127.0.0.1:10053,[::1]:10053",
        "--protocol",
        "1",
        "--uuid",
        "u-1",
    ];

    #[test]
    fn the_line_of_a_runtime_is_understood() {
        let options = Options::from_args(LINE).unwrap();
        assert_eq!((options.app.as_str(), options.uuid.as_str()), ("echo", "u-1"));
        assert_eq!(options.locators, ["127.0.0.1:10053", "[::1]:10053"]);
        assert_eq!(options.protocol, Dialect::V1);
        assert_eq!(options.session().endpoint, Endpoint::Unix("/run/echo.sock".into()));
    }

    #[test]
    fn what_is_not_known_is_ignored_and_both_spellings_are_read() {
        let options =
            Options::from_args(["run", "--quick", "--uuid=u", "--app=a", "--color", "red", "--endpoint=/e"])
                .unwrap();
        assert_eq!((options.uuid.as_str(), options.endpoint.as_str()), ("u", "/e"));
        assert_eq!(options.protocol, Dialect::V0, "no --protocol means the older dialect");
        assert_eq!(options.locators, [DEFAULT_LOCATOR]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(Options::from_args(["--app", "a"]), Err(OptionsError::Missing("--endpoint")));
        assert_eq!(
            Options::from_args(["--app", "a", "--endpoint", "/e", "--uuid"]),
            Err(OptionsError::Missing("--uuid"))
        );
        let mut line = LINE;
        line[7] = "2";
        assert_eq!(Options::from_args(line), Err(OptionsError::Protocol("2".into())));
    }
}
