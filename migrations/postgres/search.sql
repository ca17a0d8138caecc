-- The index of the search. The tables are there always, and empty if nothing is searched.

-- What the index holds. One row; none if nothing is searched.
CREATE TABLE search_index (
  -- The fields, and the version of the rules by which words are made.
  fields text NOT NULL,
  -- Messages with lower ids may not be indexed yet; NULL if all are.
  unindexed uuid
);

-- The words of each message that has some, without positions.
CREATE TABLE message_words (
  id uuid PRIMARY KEY,
  words tsvector NOT NULL
);

-- A short list of pending entries, since each search reads all of it.
CREATE INDEX message_words_by_word ON message_words USING gin (words) WITH (gin_pending_list_limit = 512);

-- Whatever removes messages removes their words.
CREATE FUNCTION remove_message_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM message_words USING removed WHERE message_words.id = removed.id;
  RETURN NULL;
END
$$;

CREATE TRIGGER message_words_removed AFTER DELETE ON messages REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION remove_message_words();
