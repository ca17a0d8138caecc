-- The index of the search. It is made when `search.fields` names fields, and made anew when they change.

-- What the index holds. One row.
CREATE TABLE search_index (
  -- The fields, and the version of the rules by which words are made.
  fields TEXT NOT NULL,
  -- Messages with this number or a lower one are not indexed yet; 0 if all are.
  unindexed INTEGER NOT NULL
) STRICT;

-- The words of each message by its number, separated by blanks. Without positions, since only whole words are looked up.
CREATE VIRTUAL TABLE message_words USING fts5 (
  words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '.,:;''""_=@'"
);

-- A segment for each commit: merging eight of them at a time costs less than merging four.
INSERT INTO message_words (message_words, rank) VALUES ('automerge', 8);

-- Whatever removes a message removes its words.
CREATE TRIGGER message_words_removed AFTER DELETE ON messages BEGIN
  DELETE FROM message_words WHERE rowid = old.number;
END;
