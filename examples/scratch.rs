use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Instant;

use cache_sync::domain::figure::Figure;
use cache_sync::domain::security::{Close, Security};
use cache_sync::domain::symbol::Symbol;
use cache_sync::domain::task::Mode;
use cache_sync::plan::market::Market;
use cache_sync::plan::snapshot::Snapshot;
use cache_sync::plan::{Order, review};
use cache_sync::settings::{LoadArgs, Settings};
use chrono::NaiveDate;

fn figure(text: &str) -> Figure {
    text.parse::<f64>()
        .ok()
        .and_then(|v| rust_decimal::Decimal::from_f64_retain(v))
        .map_or(Figure::Missing, Figure::Value)
}

fn main() {
    let day: NaiveDate = std::env::args().nth(1).unwrap().parse().unwrap();
    let env = vec![("DATABASE_URL".into(), "postgresql://x@y/z".into())];
    let settings = Settings::load(LoadArgs {
        config: None,
        directory: "/nonexistent".into(),
        env: env.into_iter(),
        overrides: vec![],
    })
    .unwrap();
    let policy = settings.policy();
    let mut securities = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let f: Vec<&str> = line.split('\t').collect();
        let get = |i: usize| Some(f[i].trim()).filter(|t| !t.is_empty()).map(str::to_owned);
        let Some(symbol) = Symbol::parse(f[0]) else { continue };
        let mut s = Security::new(symbol, f[2]);
        s.name = get(1);
        s.sector = get(3);
        s.industry = get(4);
        s.stored_cap = figure(f[5]);
        s.shares = figure(f[6]);
        s.close = get(7).map(|p| Close { date: day, price: figure(&p) });
        s.etf_type = get(8);
        s.sic_code = get(9);
        s.list_date = get(10).and_then(|d| d.parse().ok());
        s.cik = get(11);
        s.aum_millions = figure(f[12]);
        securities.push(s);
    }
    println!("{} securities", securities.len());
    let snapshot = Snapshot { securities, ..Snapshot::default() };
    let order = Order { mode: Mode::Full, accept_churn: false, as_of: day };
    let mut last = Instant::now();
    let plan = cache_sync::plan::plan(&snapshot, &policy, &order, &mut |_| ()).unwrap();
    let _ = last;
    for mode in [Mode::Full, Mode::MarketCap, Mode::Ipos, Mode::Delisted, Mode::Themes, Mode::Etfs] {
        let mut best = f64::MAX;
        for _ in 0..20 {
            last = Instant::now();
            let p =
                cache_sync::plan::plan(&snapshot, &policy, &Order { mode, ..order }, &mut |_| ()).unwrap();
            best = best.min(last.elapsed().as_secs_f64() * 1000.0);
            std::hint::black_box(p);
        }
        println!("plan {mode} {best:.2} ms");
    }
    let mut members = BTreeMap::new();
    for u in &plan.universes {
        let m: Vec<String> = u.members.iter().map(ToString::to_string).collect();
        if u.cache_type.as_str() == "theme"
            || u.cache_type.as_str() == "etf"
            || u.cache_type.as_str() == "ipo"
        {
            println!("U\t{}\t{}\t{}\t{}", u.name, u.status.as_str(), m.len(), m.join(" "));
            for j in u.joined.iter().take(if u.cache_type.as_str() == "etf" { 0 } else { 400 }) {
                println!("J\t{}\t{}\t{}\t{}", u.name, j.symbol, j.reason, j.why);
            }
        }
        members.insert(u.name.to_string(), m);
    }
    for w in &plan.warnings {
        println!("W\t{w}");
    }
    let market = Market::new(&snapshot.securities, day, &policy);
    for r in review::recall(&market, &policy) {
        println!("R\t{}\t{}/{}\t{:?}", r.theme, r.found.len(), r.present, r.found);
    }
    let near = review::candidates(&market, &policy);
    println!("near misses {}", near.len());
    for n in near.iter().take(12) {
        println!(
            "N\t{} {} {:?} {} {} {:?} {}",
            n.theme,
            n.symbol,
            n.name,
            n.score,
            n.evidence,
            n.cap.map(|c| c.short()),
            n.is_new_listing
        );
    }
}
