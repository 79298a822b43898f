-- The least that a sync into PostgreSQL needs, for a superuser or the owner of the database to run:
--
--   psql -v database=warehouse -v schema=stripe -v role=stripe_loader -f postgres-least-privilege.sql
--
-- The role gets no password here: set one with \password, or let pg_hba.conf or your provider admit it.

\set ON_ERROR_STOP on

-- The role exists from now on. A sync uses one connection.
SELECT format('CREATE ROLE %I LOGIN CONNECTION LIMIT 4', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- It may connect, and keep the rows of a commit in a temporary table.
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"role";

-- It fills tables of one schema, and creates and changes them itself.
CREATE SCHEMA IF NOT EXISTS :"schema";
GRANT USAGE, CREATE ON SCHEMA :"schema" TO :"role";

-- That is all. To take the right to create tables away once they are there, let another role own them; the sync then asks for
-- what must be changed with the statement to run:
--
--   REVOKE CREATE ON SCHEMA stripe FROM stripe_loader;
--   ALTER TABLE stripe.charges OWNER TO admin;       -- and so on, for each table
--   GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stripe TO stripe_loader;
--
-- Those who read the tables need no more than this:
--
--   GRANT USAGE ON SCHEMA stripe TO analyst;
--   GRANT SELECT ON ALL TABLES IN SCHEMA stripe TO analyst;
--   ALTER DEFAULT PRIVILEGES FOR ROLE stripe_loader IN SCHEMA stripe GRANT SELECT ON TABLES TO analyst;
