//! A command line, word by word.

use std::time::Duration;

/// What is left of a line.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line.trim() }
    }

    /// All that is left, as one text.
    pub(super) fn rest(&mut self) -> &'a str {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn maybe(&mut self) -> Option<&'a str> {
        let (word, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }

    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.maybe().ok_or_else(|| format!("{what} is missing"))
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.word(what)?;
        word.parse().map_err(|_| format!("{what} must be a number, not {word:?}"))
    }

    pub(super) fn duration(&mut self) -> Result<Duration, String> {
        duration(self.word("a time")?)
    }

    /// A payload: the rest of the line, `x*100000` for many of one character, or `hex:…`.
    pub(super) fn payload(&mut self) -> Result<Vec<u8>, String> {
        payload(self.rest())
    }

    /// The words of the form `key=value`, which must be all that is left.
    pub(super) fn options(&mut self) -> Result<Vec<(&'a str, &'a str)>, String> {
        let mut options = Vec::new();
        while let Some(word) = self.maybe() {
            options.push(word.split_once('=').ok_or_else(|| format!("{word:?} is no key=value"))?);
        }
        Ok(options)
    }
}

/// `5s`, `1.5s`, `100ms` or `1us`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(char::is_alphabetic).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let micros = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        _ => return Err(format!("{text:?} is no time: say 5s, 100ms or 1us")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no time"))?;
    Ok(Duration::from_micros((number * micros).round() as u64))
}

/// See [`Words::payload`].
pub(super) fn payload(text: &str) -> Result<Vec<u8>, String> {
    if let Some(digits) = text.strip_prefix("hex:") {
        return hex(digits);
    }
    if let Some((one, count)) = text.split_once('*')
        && one.len() == 1
        && let Ok(count) = count.parse()
    {
        return Ok(one.as_bytes().repeat(count));
    }
    Ok(text.as_bytes().to_vec())
}

/// Bytes from hexadecimal digits; blanks are for the eye.
pub(super) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2);
        text.and_then(|text| u8::from_str_radix(text, 16).ok()).ok_or_else(|| "not hexadecimal".to_owned())
    };
    digits.chunks(2).map(pair).collect()
}
