//! The words of an inline request.
//!
//! A word may have a part in quotes, which ends it. Between `"` and `"`, `\n`, `\r`, `\t`, `\b`, `\a` and `\xHH` stand
//! for one byte, and a `\` before another takes its meaning away; between `'` and `'` there is `\'` only.

use super::{Arguments, ProtocolError, Span};

/// White space of the C locale.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// The bytes that end a word outside quotes: fewer than those that may stand between words.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Splits a line into words, and appends them to `arguments`. Linear in the line's length.
pub(super) fn split_words(line: &[u8], arguments: &mut Arguments) -> Result<(), ProtocolError> {
    if line.iter().any(|&byte| matches!(byte, b'"' | b'\'')) {
        return decode_words(line, arguments);
    }
    let mut position = 0;
    loop {
        position += line[position..].iter().take_while(|&&byte| is_space(byte)).count();
        if position == line.len() {
            return Ok(());
        }
        let start = position;
        position += line[position..].iter().take_while(|&&byte| !ends_word(byte)).count();
        arguments.spans.push(Span { start: start as u32, end: position as u32 });
    }
}

/// Splits a line with quotes into words, and copies them without the quotes.
fn decode_words(line: &[u8], arguments: &mut Arguments) -> Result<(), ProtocolError> {
    let decoded = &mut arguments.decoded;
    let mut rest = line;
    loop {
        let spaces = rest.iter().take_while(|&&byte| is_space(byte)).count();
        rest = &rest[spaces..];
        if rest.is_empty() {
            return Ok(());
        }
        let start = decoded.len() as u32;
        while let Some((&byte, behind)) = rest.split_first() {
            match byte {
                // A closing quote ends the word, an opening one need not begin it.
                b'"' => {
                    rest = decode_double_quoted(behind, decoded)?;
                    break;
                }
                b'\'' => {
                    rest = decode_single_quoted(behind, decoded)?;
                    break;
                }
                _ if ends_word(byte) => break,
                _ => {
                    decoded.push(byte);
                    rest = behind;
                }
            }
        }
        arguments.spans.push(Span { start, end: decoded.len() as u32 });
    }
}

/// Copies what stands in double quotes, of which the first is behind us, and answers with what follows.
fn decode_double_quoted<'a>(mut rest: &'a [u8], decoded: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match *rest {
            [b'\\', b'x', high, low, ref behind @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(hexadecimal(high) << 4 | hexadecimal(low));
                rest = behind;
            }
            [b'\\', letter, ref behind @ ..] => {
                decoded.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    _ => letter,
                });
                rest = behind;
            }
            [b'"', ref behind @ ..] => return word_ends(behind),
            [byte, ref behind @ ..] => {
                decoded.push(byte);
                rest = behind;
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        }
    }
}

/// Copies what stands in single quotes, of which the first is behind us, and answers with what follows.
fn decode_single_quoted<'a>(mut rest: &'a [u8], decoded: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match *rest {
            [b'\\', b'\'', ref behind @ ..] => {
                decoded.push(b'\'');
                rest = behind;
            }
            [b'\'', ref behind @ ..] => return word_ends(behind),
            [byte, ref behind @ ..] => {
                decoded.push(byte);
                rest = behind;
            }
            [] => return Err(ProtocolError::UnbalancedQuotes),
        }
    }
}

/// A closing quote ends its word: nothing or white space must follow.
fn word_ends(behind: &[u8]) -> Result<&[u8], ProtocolError> {
    match behind.first() {
        Some(&byte) if !is_space(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(behind),
    }
}

fn hexadecimal(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
