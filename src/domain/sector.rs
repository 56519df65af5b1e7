//! The eleven sectors that have a universe of leaders.

use super::words;

words! {
    /// One of the eleven sectors, named as in `top_10_<sector>`.
    Sector {
        /// Software, hardware, semiconductors.
        Technology = "technology",
        /// Drugs, devices, care and its insurers.
        Healthcare = "healthcare",
        /// Banks, insurers, payment networks.
        FinancialServices = "financial_services",
        /// What people buy when they can.
        ConsumerDiscretionary = "consumer_discretionary",
        /// What people always buy.
        ConsumerStaples = "consumer_staples",
        /// Machines, transport, aerospace.
        Industrials = "industrials",
        /// Oil, gas, coal and their services.
        Energy = "energy",
        /// Power, gas and water supply.
        Utilities = "utilities",
        /// Chemicals, metals, paper.
        Materials = "materials",
        /// Property companies and trusts.
        RealEstate = "real_estate",
        /// Telephone, media, search.
        CommunicationServices = "communication_services",
    }
}

impl Sector {
    /// The sector as a person reads it: `Financial Services`.
    pub fn title(self) -> String {
        self.as_str()
            .split('_')
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_the_names_with_capitals() {
        assert_eq!(Sector::FinancialServices.title(), "Financial Services");
        assert_eq!(Sector::ALL.len(), 11);
    }
}
