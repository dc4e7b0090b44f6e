// What the server tells by itself: jobs, changes of the folder, and whether it is there.

export function listen({ hello, job, library, lost }) {
  const source = new EventSource("/api/events");
  source.addEventListener("hello", (event) => hello(JSON.parse(event.data)));
  source.addEventListener("job", (event) => job(JSON.parse(event.data)));
  source.addEventListener("library", () => library());
  source.addEventListener("error", () => {
    lost();
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen({ hello, job, library, lost }), 1500);
  });
  addEventListener("pagehide", () => source.close(), { once: true });
}
