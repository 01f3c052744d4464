/** The worker's side of page.html: each message is `{ load: … }` or `{ run: … }`, and is answered by its value or its error. */
export function answer({ load, run }) {
  addEventListener("message", async ({ data }) => {
    try {
      postMessage({ value: await (data.load ? load(data.load) : run(data.run)) });
    } catch (error) {
      postMessage({ error: String(error) });
    }
  });
}
