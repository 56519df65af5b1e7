//! A world whose program may do less than everything: as a user of Redis, or as a role of Postgres.

use super::World;

/// The user of Redis.
const USER: &str = "limited";
/// Its password.
const PASSWORD: &str = "of-the-limited-user";

impl World {
    /// The program speaks to Redis as a user with these rules; the test itself may do everything.
    pub(crate) async fn limited_in_redis(mut self, rules: &[&str]) -> Self {
        self.set_rules(&["on", &format!(">{PASSWORD}")]).await;
        self.set_rules(rules).await;
        self.redis_url = format!("redis://{USER}:{PASSWORD}@127.0.0.1:{}", self.redis.port());
        self
    }

    /// Adds rules to that user: `+publish`, `&*`, `~key`.
    pub(crate) async fn set_rules(&self, rules: &[&str]) {
        let mut command = redis::cmd("ACL");
        let () = self.ask_redis(command.arg("SETUSER").arg(USER).arg(rules)).await;
    }

    /// The program speaks to Postgres as a role that may use our tables and read the source, and nothing else; the test
    /// itself may do everything. `changes` are statements in which `{role}` and `{database}` stand for the names.
    pub(crate) async fn limited_in_postgres(mut self, changes: &str) -> Self {
        let (address, database) = self.database_url.rsplit_once('/').unwrap();
        let (_, place) = address.split_once('@').unwrap();
        let role = format!("role_of_{database}");
        let url = format!("postgresql://{role}@{place}/{database}");
        let ours = "
            create role {role} login;
            grant select on symbols, ohlcv_daily to {role};
            grant select, insert, update, delete on all tables in schema public to {role};
            revoke insert, update, delete on symbols, ohlcv_daily from {role};
            grant usage on all sequences in schema public to {role};";
        self.sql_of_role(ours).await;
        self.sql_of_role(changes).await;
        self.database_url = url;
        self
    }

    /// Another database with all that a world needs, as the variable that leads a program of this world to it: its Redis
    /// and its names stay this world's.
    pub(crate) async fn database_beside(&self) -> (String, String) {
        ("DATABASE_URL".to_owned(), super::servers::new_database().await)
    }

    /// Runs statements in which `{role}` and `{database}` stand for the names.
    pub(crate) async fn sql_of_role(&self, statements: &str) {
        let (_, database) = self.database_url.rsplit_once('/').unwrap();
        let role = format!("role_of_{database}");
        self.sql(&statements.replace("{role}", &role).replace("{database}", database)).await;
    }
}
