//! What a character is, for the parsers.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Returns whether a reader cannot see `c`, or `c` changes how its neighbours are shown: control, format
/// (bidirectional overrides, zero-width joiners), unassigned and private characters, line and
/// paragraph separators, and the blanks that are letters to Unicode.
pub(crate) fn is_invisible(c: char) -> bool {
    use GeneralCategory as G;
    matches!(
        c.general_category(),
        G::Control
            | G::Format
            | G::Surrogate
            | G::PrivateUse
            | G::Unassigned
            | G::LineSeparator
            | G::ParagraphSeparator
    ) || matches!(
        c,
        // Combining grapheme joiner, Hangul fillers, Khmer inherent vowels, Braille blank, and the
        // mark that decoders leave where the input was not text.
        '\u{034F}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FFA0}'
            | '\u{FFFD}'
    )
}
