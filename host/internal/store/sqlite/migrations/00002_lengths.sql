-- +goose Up
-- How long the deployments took whose ends are counted in `ended`: for the
-- histogram, by the bound that they kept within.
CREATE TABLE ended_lengths (
    host        TEXT NOT NULL,
    environment TEXT NOT NULL,
    platform    TEXT NOT NULL,
    result      TEXT NOT NULL,
    bound       REAL NOT NULL, -- in seconds; infinite beyond the last one
    count       INTEGER NOT NULL,
    seconds     REAL NOT NULL, -- of all of count together
    PRIMARY KEY (host, environment, platform, result, bound)
) STRICT, WITHOUT ROWID;
