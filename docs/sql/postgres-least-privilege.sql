-- The minimum privileges for a sync into PostgreSQL. Run this as a superuser or as the owner of the database:
--
--   psql -v database=warehouse -v schema=stripe -v role=stripe_loader -f postgres-least-privilege.sql
--
-- This doesn't set a password for the role: set one with \password, or configure pg_hba.conf or your provider.

\set ON_ERROR_STOP on

-- Create the role. A sync uses one connection.
SELECT format('CREATE ROLE %I LOGIN CONNECTION LIMIT 4', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

GRANT CONNECT ON DATABASE :"database" TO :"role";

-- A sync creates, alters and fills the tables of one schema.
CREATE SCHEMA IF NOT EXISTS :"schema";
GRANT USAGE, CREATE ON SCHEMA :"schema" TO :"role";

-- That is all. To revoke the privilege to create tables once they exist, let another role own them. If a table has to change,
-- the sync then fails with the statement to run:
--
--   REVOKE CREATE ON SCHEMA stripe FROM stripe_loader;
--   ALTER TABLE stripe.charges OWNER TO admin;       -- and so on, for each table
--   GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stripe TO stripe_loader;
--
-- To grant read access to the tables:
--
--   GRANT USAGE ON SCHEMA stripe TO analyst;
--   GRANT SELECT ON ALL TABLES IN SCHEMA stripe TO analyst;
--   ALTER DEFAULT PRIVILEGES FOR ROLE stripe_loader IN SCHEMA stripe GRANT SELECT ON TABLES TO analyst;
