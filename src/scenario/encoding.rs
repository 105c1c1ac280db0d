//! The text of a file, which is UTF-8.

/// The text, or where it is none and what to do.
///
/// # Errors
/// In words, with line and column (in bytes) of the first byte that is not UTF-8.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err("the file is written in UTF-16: save it as UTF-8".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let (good, bad) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = good.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        let byte = bad.first().copied().unwrap_or_default();
        format!("line {line}, column {column}: the byte {byte:#04x} is not UTF-8: save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn what_is_not_utf_8_is_told_with_its_place() {
        assert_eq!(text("name: é\n".into()).as_deref(), Ok("name: é\n"));
        let latin_1 = b"kind: Pod\nname: \xe9\n".to_vec();
        assert_eq!(text(latin_1).unwrap_err(), "line 2, column 7: the byte 0xe9 is not UTF-8: save the file as UTF-8");
        for mark in [[0xFF, 0xFE], [0xFE, 0xFF]] {
            assert_eq!(text(mark.into()).unwrap_err(), "the file is written in UTF-16: save it as UTF-8");
        }
    }
}
