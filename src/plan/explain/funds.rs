//! Exchange-traded products, by category and all of them.

use crate::domain::universe::FundCategory;

use super::findings::{Case, Findings, NO_ROW};
use crate::plan::draft::reason;
use crate::plan::given::policy::{FundKind, Policy};
use crate::plan::market::{FUND_KINDS, Market, Standing};
use crate::plan::members::eligibility;
use crate::plan::members::funds;

/// Being of a category.
pub(super) fn category(market: &Market, policy: &Policy, case: &Case, category: FundCategory) -> Findings {
    let mut findings = Findings::default();
    let Some(index) = fund(&mut findings, market, case) else { return findings };
    let kind = funds::kind(market, policy, index);
    let text = reason::fund(market, policy, index);
    if kind.category() == Some(category) {
        findings.met("category", text.clone());
        "another category, or to trade no more".clone_into(&mut findings.leaves);
        findings.margin = text;
    } else {
        let text = if kind == FundKind::Geared { format!("{text}, so in etf_all only") } else { text };
        findings.unmet("category", text, format!("{category} by the curated list, its type or its name"));
    }
    findings
}

/// Being one at all.
pub(super) fn all(market: &Market, policy: &Policy, case: &Case) -> Findings {
    let mut findings = Findings::default();
    let Some(index) = fund(&mut findings, market, case) else { return findings };
    let worth = market
        .cap(index)
        .map_or_else(|| "of unknown worth".to_owned(), |worth| format!("worth {}", worth.short()));
    findings.margin =
        format!("type {}, {worth}, {}", market.security(index).kind, reason::fund(market, policy, index));
    "another type, or to trade no more".clone_into(&mut findings.leaves);
    findings
}

fn fund(findings: &mut Findings, market: &Market, case: &Case) -> Option<u32> {
    const CHECK: &str = "fund";
    let Some(index) = case.index else {
        findings.unmet(CHECK, NO_ROW, "a row in symbols");
        return None;
    };
    match market.standing(index) {
        Standing::Fund => {
            findings.met(CHECK, format!("active, type {}", market.security(index).kind));
            return Some(index);
        }
        Standing::Delisted => {
            findings.unmet(
                CHECK,
                eligibility::delisted(market, index),
                "to be active, without a date of delisting",
            );
        }
        Standing::ActivityUnknown => {
            findings.unmet(
                CHECK,
                eligibility::ineligible(market, case.universe, index),
                "active = true in symbols",
            );
        }
        Standing::Eligible | Standing::OtherType | Standing::Duplicate => {
            let kind = &market.security(index).kind;
            let is_told_a_stock = FUND_KINDS.contains(&&**kind);
            let text = if is_told_a_stock {
                format!("type {kind} counts as a stock, by source.eligible_types")
            } else {
                eligibility::ineligible(market, case.universe, index)
            };
            findings.unmet(CHECK, text, format!("one of the types {}", FUND_KINDS.join(", ")));
        }
    }
    None
}
