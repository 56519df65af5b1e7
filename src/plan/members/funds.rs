//! What an exchange-traded product is, by the rules of a policy.

use crate::plan::given::policy::{FundKind, Policy};
use crate::plan::market::Market;

/// What the fund at `index` is.
pub(crate) fn kind<'a>(market: &Market<'a>, policy: &Policy, index: u32) -> FundKind<'a> {
    let security = market.security(index);
    policy.funds.kind(&security.symbol.key(), security.etf_type.as_deref(), security.name.as_deref())
}
