//! The headers that mean something to us.

use bytes::Bytes;
use thiserror::Error;

use super::table::Header;

/// Names of headers.
pub mod names {
    /// 8 bytes, little endian: the request that everything belongs to.
    pub const TRACE_ID: &str = "trace_id";
    /// 8 bytes, little endian: this step of it.
    pub const SPAN_ID: &str = "span_id";
    /// 8 bytes, little endian: the step that led to this one.
    pub const PARENT_ID: &str = "parent_id";
    /// `0` or `1`: whether this trace wants verbose logs.
    pub const TRACE_BIT: &str = "trace_bit";
    /// Who is asking; the form depends on who checks it.
    pub const AUTHORIZATION: &str = "authorization";
    /// 8 bytes, little endian: milliseconds from enqueueing to the end of the answer.
    pub const REQUEST_TIMEOUT: &str = "request_timeout";
    /// A msgpack map, between locators.
    pub const LOCATOR_EXTRA: &str = "x-cocaine-locator-extra";
}

/// Where a request is in a tree of requests. The trace's number is never 0, nor the span's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The number of the whole.
    pub trace: u64,
    /// The number of this step.
    pub span: u64,
    /// The number of the step before; 0 for the first.
    pub parent: u64,
}

/// A header whose value is not what its name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KnownHeaderError {
    /// A number is not 8 bytes long.
    #[error("header {name} must be 8 bytes, a little-endian number; it has {len}")]
    Length {
        /// Which header.
        name: &'static str,
        /// How long its value is.
        len: usize,
    },
    /// Numbers of a trace that contradict each other.
    #[error("trace_id 0 means that there is no trace, so span_id and parent_id must be 0 too")]
    SpanWithoutTrace,
    /// A trace without a span.
    #[error("a trace needs a span_id other than 0")]
    TraceWithoutSpan,
}

/// The trace that these headers tell of; `None` if one of the three is missing, or all are 0.
///
/// # Errors
///
/// The three contradict each other, or one is not a number. The peer's connection is to be closed.
pub fn trace(headers: &[Header]) -> Result<Option<Trace>, KnownHeaderError> {
    let number = |name| number(headers, name).transpose();
    let (Some(trace), Some(span), Some(parent)) =
        (number(names::TRACE_ID), number(names::SPAN_ID), number(names::PARENT_ID))
    else {
        return Ok(None);
    };
    match (trace?, span?, parent?) {
        (0, 0, 0) => Ok(None),
        (0, _, _) => Err(KnownHeaderError::SpanWithoutTrace),
        (_, 0, _) => Err(KnownHeaderError::TraceWithoutSpan),
        (trace, span, parent) => Ok(Some(Trace { trace, span, parent })),
    }
}

/// How long the caller is willing to wait, in milliseconds; `None` if it does not say.
///
/// # Errors
///
/// The value is not 8 bytes long. Only this request is at fault.
pub fn request_timeout(headers: &[Header]) -> Result<Option<u64>, KnownHeaderError> {
    number(headers, names::REQUEST_TIMEOUT)
}

/// The first header of this name, as a number.
fn number(headers: &[Header], name: &'static str) -> Result<Option<u64>, KnownHeaderError> {
    let Some(header) = headers.iter().find(|header| header.name == name.as_bytes()) else { return Ok(None) };
    match header.value.as_ref().try_into() {
        Ok(bytes) => Ok(Some(u64::from_le_bytes(bytes))),
        Err(_) => Err(KnownHeaderError::Length { name, len: header.value.len() }),
    }
}

/// The names that come with most requests, without an allocation each time.
pub(super) fn static_name(name: &[u8]) -> Option<Bytes> {
    const COMMON: [&str; 6] = [
        names::TRACE_ID,
        names::SPAN_ID,
        names::PARENT_ID,
        names::TRACE_BIT,
        names::AUTHORIZATION,
        names::REQUEST_TIMEOUT,
    ];
    COMMON
        .into_iter()
        .find(|known| known.as_bytes() == name)
        .map(|known| Bytes::from_static(known.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &'static str, number: u64) -> Header {
        Header::new(name, number.to_le_bytes().to_vec())
    }

    fn triple(trace: u64, span: u64, parent: u64) -> Vec<Header> {
        vec![header("trace_id", trace), header("span_id", span), header("parent_id", parent)]
    }

    #[test]
    fn a_trace_needs_all_three() {
        let mut headers = triple(1, 2, 3);
        assert_eq!(trace(&headers), Ok(Some(Trace { trace: 1, span: 2, parent: 3 })));
        headers.remove(2);
        assert_eq!(trace(&headers), Ok(None));
        assert_eq!(trace(&[]), Ok(None));
    }

    #[test]
    fn the_rules_of_a_trace() {
        assert_eq!(trace(&triple(0, 0, 0)), Ok(None));
        assert_eq!(trace(&triple(1, 1, 0)), Ok(Some(Trace { trace: 1, span: 1, parent: 0 })));
        assert_eq!(trace(&triple(0, 1, 0)), Err(KnownHeaderError::SpanWithoutTrace));
        assert_eq!(trace(&triple(0, 0, 1)), Err(KnownHeaderError::SpanWithoutTrace));
        assert_eq!(trace(&triple(1, 0, 0)), Err(KnownHeaderError::TraceWithoutSpan));
        let mut short = triple(1, 2, 3);
        short[1].value = Bytes::from_static(b"1234567");
        assert_eq!(trace(&short), Err(KnownHeaderError::Length { name: "span_id", len: 7 }));
    }

    #[test]
    fn engine_defect_15_a_request_timeout_of_the_wrong_length_is_an_error_value() {
        assert_eq!(request_timeout(&[header("request_timeout", 1500)]), Ok(Some(1500)));
        assert_eq!(request_timeout(&triple(1, 2, 3)), Ok(None));
        for len in [0, 4, 7, 9] {
            let headers = [Header::new("request_timeout", vec![0; len])];
            assert_eq!(
                request_timeout(&headers),
                Err(KnownHeaderError::Length { name: "request_timeout", len })
            );
        }
    }
}
