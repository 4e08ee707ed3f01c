//! What a character is, for the parsers.

use icu_properties::props::{CanonicalCombiningClass, ExtendedPictographic, JoiningType};
use icu_properties::{CodePointMapData, CodePointSetData};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

const NON_JOINER: char = '\u{200C}';
const JOINER: char = '\u{200D}';

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

/// Returns the first character of `text` that a reader cannot see, but for the joiners where they belong:
/// between the letters of scripts that use them (RFC 5892, appendix A.1 and A.2), and inside an emoji
/// sequence.
pub(crate) fn first_invisible(text: &str) -> Option<char> {
    let is_stray = |(at, c): &(usize, char)| {
        let (before, after) = text.split_at(*at);
        match *c {
            NON_JOINER => !(follows_virama(before) || is_between_joining(before, after)),
            JOINER => !(follows_virama(before) || is_between_pictographs(before, after)),
            c => is_invisible(c),
        }
    };
    text.char_indices().find(is_stray).map(|(_, c)| c)
}

fn follows_virama(before: &str) -> bool {
    let class = CodePointMapData::<CanonicalCombiningClass>::new();
    before.chars().next_back().is_some_and(|c| class.get(c) == CanonicalCombiningClass::Virama)
}

/// Returns whether the joiner with which `after` begins stands between two letters that would join.
fn is_between_joining(before: &str, after: &str) -> bool {
    let joining = CodePointMapData::<JoiningType>::new();
    let types = |c| joining.get(c);
    let is_seen = |joining: &JoiningType| *joining != JoiningType::Transparent;
    let (left, right) = (
        before.chars().rev().map(types).find(is_seen),
        after.chars().skip(1).map(types).find(is_seen),
    );
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

/// Returns whether the joiner with which `after` begins joins two emoji. The first may have a variation
/// selector or a skin tone.
fn is_between_pictographs(before: &str, after: &str) -> bool {
    let pictographs = CodePointSetData::new::<ExtendedPictographic>();
    let is_modifier = |c: &char| matches!(c, '\u{FE0F}' | '\u{1F3FB}'..='\u{1F3FF}');
    let first = before.chars().rev().find(|c| !is_modifier(c));
    let second = after.chars().nth(1);
    first.into_iter().chain(second).filter(|c| pictographs.contains(*c)).count() == 2
}
