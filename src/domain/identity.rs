//! Who a security is, whatever symbol it goes by.
//!
//! A share class has a FIGI of its own, world wide, and one in each country, the composite. The issuer has a number at
//! the SEC, the CIK, which all its securities share. We compare each identifier with
//! its own kind. If both sides have it and it is equal, they are one instrument; if it differs, they are two; if one side
//! lacks it, it decides nothing.

use super::words;

words! {
    /// What says that two symbols are one instrument, the best first.
    SameBy {
        /// The FIGI of the share class.
        ShareClassFigi = "share_class_figi",
        /// The composite FIGI.
        CompositeFigi = "composite_figi",
        /// The issuer's number at the SEC.
        Cik = "cik",
    }
}

/// What identifies a security.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The FIGI of the share class.
    pub share_class_figi: Option<String>,
    /// The composite FIGI.
    pub composite_figi: Option<String>,
    /// The issuer's number at the SEC, as the source pads it.
    pub cik: Option<String>,
    /// The type, beside which a CIK identifies; empty where it is not known.
    pub kind: String,
}

/// How two identities stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// One and the same.
    Same(SameBy),
    /// Two.
    Other,
    /// Nothing is known on both sides.
    Unknown,
}

impl Identity {
    /// Whether both are one. A FIGI of one kind that is the same outweighs all else; a CIK counts where no FIGI is known
    /// on both sides.
    pub fn likeness(&self, other: &Self) -> Likeness {
        let figis = [
            (SameBy::ShareClassFigi, &self.share_class_figi, &other.share_class_figi),
            (SameBy::CompositeFigi, &self.composite_figi, &other.composite_figi),
        ];
        let known = figis.iter().filter_map(|(by, one, two)| Some((*by, one.as_ref()? == two.as_ref()?)));
        let known: Vec<(SameBy, bool)> = known.collect();
        if let Some((by, _)) = known.iter().find(|(_, is_same)| *is_same) {
            return Likeness::Same(*by);
        }
        if !known.is_empty() {
            return Likeness::Other;
        }
        match (self.plain_cik(), other.plain_cik()) {
            (Some(one), Some(two)) if one == two => Likeness::Same(SameBy::Cik),
            (Some(_), Some(_)) => Likeness::Other,
            (None, _) | (_, None) => Likeness::Unknown,
        }
    }

    /// The issuer's number without idle zeros.
    pub fn plain_cik(&self) -> Option<&str> {
        plain_cik(self.cik.as_deref()?)
    }

    /// Whether there is anything to compare by.
    pub fn is_empty(&self) -> bool {
        self.share_class_figi.is_none() && self.composite_figi.is_none() && self.plain_cik().is_none()
    }

    /// Whether `other` knows something that this does not.
    pub fn lacks_of(&self, other: &Self) -> bool {
        self.pairs(other).iter().any(|(own, others)| own.is_none() && others.is_some())
    }

    /// Whether something that both know differs.
    pub fn differs_from(&self, other: &Self) -> bool {
        self.pairs(other).iter().any(|(own, others)| own.is_some() && others.is_some() && own != others)
    }

    fn pairs<'a>(&'a self, other: &'a Self) -> [(Option<&'a str>, Option<&'a str>); 3] {
        [
            (self.share_class_figi.as_deref(), other.share_class_figi.as_deref()),
            (self.composite_figi.as_deref(), other.composite_figi.as_deref()),
            (self.plain_cik(), other.plain_cik()),
        ]
    }

    /// This, with what only `other` knows.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            share_class_figi: self.share_class_figi.or_else(|| other.share_class_figi.clone()),
            composite_figi: self.composite_figi.or_else(|| other.composite_figi.clone()),
            cik: self.cik.or_else(|| other.cik.clone()),
            kind: if self.kind.is_empty() { other.kind.clone() } else { self.kind },
        }
    }
}

/// A CIK without the zeros that some feeds pad it with; none where nothing is left.
pub fn plain_cik(text: &str) -> Option<&str> {
    Some(text.trim().trim_start_matches('0')).filter(|cik| !cik.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `share class, composite, CIK`, a dot for what is not known.
    fn identity(text: &str) -> Identity {
        let mut words = text.split(' ').map(|word| Some(word.to_owned()).filter(|word| word != "."));
        let mut next = || words.next().flatten();
        Identity { share_class_figi: next(), composite_figi: next(), cik: next(), kind: "CS".to_owned() }
    }

    #[test]
    fn a_figi_decides_before_the_cik_and_what_is_unknown_says_nothing() {
        let likeness = |one: &str, two: &str| identity(one).likeness(&identity(two));
        for (one, two, expected) in [
            ("S1 C1 7", "S1 C1 7", Likeness::Same(SameBy::ShareClassFigi)),
            ("S1 C1 7", "S1 C2 8", Likeness::Same(SameBy::ShareClassFigi)),
            ("S1 C1 7", "S2 C1 7", Likeness::Same(SameBy::CompositeFigi)),
            ("S1 C1 7", "S2 C2 7", Likeness::Other),
            ("S1 . 7", ". C1 7", Likeness::Same(SameBy::Cik)),
            (". C1 7", ". C1 8", Likeness::Same(SameBy::CompositeFigi)),
            ("S1 . 7", ". C1 8", Likeness::Other),
            (". . 7", "S1 C1 .", Likeness::Unknown),
            (". . .", "S1 C1 7", Likeness::Unknown),
        ] {
            assert_eq!(likeness(one, two), expected, "{one} and {two}");
            assert_eq!(likeness(two, one), expected, "{two} and {one}");
        }
    }

    #[test]
    fn what_arrives_late_completes_and_what_differs_is_seen() {
        let (early, late) = (identity("S1 . ."), identity("S1 C1 7"));
        assert!(early.lacks_of(&late) && !late.lacks_of(&early) && !early.differs_from(&late));
        assert_eq!(early.clone().or(&late), late);
        assert!(late.differs_from(&identity("S1 C1 8")));
        assert!(identity(". . .").is_empty() && !early.is_empty());
    }

    #[test]
    fn a_cik_is_compared_without_idle_zeros() {
        assert_eq!(plain_cik("0000320193"), Some("320193"));
        assert_eq!(plain_cik(" 320193 "), Some("320193"));
        assert_eq!(plain_cik("0000"), None);
    }
}
