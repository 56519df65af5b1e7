//! Reads `sectors.toml`: which sector a symbol, a sector text or a SIC code stands for.

use std::collections::BTreeMap;

use crate::domain::sector::Sector;
use crate::domain::sic::SicRange;
use crate::domain::symbol::symbol_key;
use crate::plan::given::policy::SectorTable;

use super::layers::{Layers, Origin, nearest};

/// The shipped table.
const SHIPPED: &str = include_str!("../../config/sectors.toml");

/// The sections, to which any line may be added.
const SECTIONS: &[&str] = &["overrides", "names", "sic"];

/// The lowest layer.
pub(super) fn layers() -> Layers {
    Layers::new("config/sectors.toml", SHIPPED, SECTIONS)
}

/// The table that the layers say.
pub(super) fn read(layers: &mut Layers) -> SectorTable {
    let overrides = section(layers, "overrides", |symbol| symbol_key(symbol).into_owned());
    let names = section(layers, "names", |text| text.trim().to_lowercase());
    let codes = section(layers, "sic", |codes| match SicRange::parse(codes) {
        Some(range) => range.to_string(),
        None => codes.to_owned(),
    });
    let mut ranges = Vec::with_capacity(codes.len());
    for (codes, sector) in codes {
        match SicRange::parse(&codes) {
            Some(range) => ranges.push((range, sector)),
            None => {
                layers.refuse(&format!("sic.{codes}"), "is no SIC code and no range such as \"3570-3579\"");
            }
        }
    }
    SectorTable::new(overrides, names).with_sic(ranges)
}

/// The lines of a section under the spelling they are compared by, so that `BRK/B` replaces a shipped `BRK.B`.
fn section(layers: &mut Layers, name: &str, spelling: impl Fn(&str) -> String) -> BTreeMap<String, Sector> {
    let (shipped, added): (Vec<_>, Vec<_>) =
        layers.section(name).into_iter().partition(|(_, setting)| setting.origin == Origin::Shipped);
    let mut table = BTreeMap::new();
    for (line, setting) in shipped.into_iter().chain(added) {
        match setting.value.as_str() {
            Some("") => {
                table.remove(&spelling(&line));
            }
            Some(text) if Sector::from_text(text).is_some() => {
                table.extend(Sector::from_text(text).map(|sector| (spelling(&line), sector)));
            }
            other => layers.refuse(&format!("{name}.{line}"), &no_sector(other)),
        }
    }
    table
}

fn no_sector(value: Option<&str>) -> String {
    let words = || Sector::ALL.iter().map(|sector| sector.as_str());
    match value.map(|text| (text, nearest(text, words()))) {
        Some((text, Some(near))) => format!("is {text:?}, which is no sector; did you mean {near:?}?"),
        _ => format!(
            "is no sector; it must be \"\" for none, or one of {}",
            words().collect::<Vec<_>>().join(", ")
        ),
    }
}
