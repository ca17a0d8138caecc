// The to-do list of `examples/todo.rs`, for Node.

import { randomUUID } from "node:crypto";

import express from "express";

/** The callback of a client that wants no answer. */
const none = () => {};

const NOT_FOUND = { error: "entity not found" };

export default function todo(io, app) {
  const todos = new Map();

  function create(draft, others) {
    const invalid = check(draft);
    if (invalid !== undefined) return invalid;
    const todo = { id: randomUUID(), title: draft.title, completed: draft.completed };
    todos.set(todo.id, todo);
    others.emit("todo:created", todo);
    return { data: todo.id };
  }

  function read(id) {
    return todos.has(id) ? { data: todos.get(id) } : NOT_FOUND;
  }

  function update(draft, others) {
    if (!todos.has(draft?.id)) return NOT_FOUND;
    const invalid = check(draft);
    if (invalid !== undefined) return invalid;
    const todo = { id: draft.id, title: draft.title, completed: draft.completed };
    todos.set(todo.id, todo);
    others.emit("todo:updated", todo);
    return { data: todo.id };
  }

  function remove(id, others) {
    if (!todos.delete(id)) return NOT_FOUND;
    others.emit("todo:deleted", id);
    return { data: id };
  }

  function list() {
    return { data: [...todos.values()] };
  }

  io.on("connection", (socket) => {
    socket.on("todo:create", (draft, callback = none) => callback(create(draft, socket.broadcast)));
    socket.on("todo:read", (id, callback = none) => callback(read(id)));
    socket.on("todo:update", (draft, callback = none) => callback(update(draft, socket.broadcast)));
    socket.on("todo:delete", (id, callback = none) => callback(remove(id, socket.broadcast)));
    socket.on("todo:list", (callback = none) => callback(list()));
  });

  const respond = (response, answer) => response.status(status(answer)).json(answer);
  app.use(express.json());
  app.get("/todos", (_, response) => respond(response, list()));
  app.post("/todos", (request, response) => respond(response, create(request.body, io)));
  app.get("/todos/:id", (request, response) => respond(response, read(request.params.id)));
  app.delete("/todos/:id", (request, response) => respond(response, remove(request.params.id, io)));
}

/** What is wrong with a draft; `undefined` if it can be kept. */
function check(draft) {
  const { title, completed } = draft ?? {};
  const errorDetails = [];
  if (typeof title !== "string" || title.length < 1 || title.length > 256) {
    const message = '"title" must be a text of 1 to 256 characters';
    errorDetails.push({ message, path: ["title"], type: "string.base" });
  }
  if (typeof completed !== "boolean") {
    const message = '"completed" must be a boolean';
    errorDetails.push({ message, path: ["completed"], type: "boolean.base" });
  }
  return errorDetails.length === 0 ? undefined : { error: "invalid payload", errorDetails };
}

/** The HTTP status of an answer. */
function status({ error }) {
  if (error === undefined) return 200;
  return error === NOT_FOUND.error ? 404 : 400;
}
