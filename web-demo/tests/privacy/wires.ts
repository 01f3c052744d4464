/** The places where bytes could arrive: the page's own host, every other host, and UDP. All of them keep what they get. */
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, connect, type AddressInfo, type Server } from "node:net";

/** Listens on 127.0.0.1 and keeps every byte. */
export class Wire {
  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly chunks: Buffer[],
  ) {}

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** In front of an origin: bytes go on to it, its answers come back. */
  static before(originPort: number): Promise<Wire> {
    return Wire.listen((keep) =>
      createServer((client) => {
        const origin = connect(originPort, "127.0.0.1");
        client.on("data", (data) => keep(data as Buffer));
        client.pipe(origin).pipe(client);
        client.on("error", () => origin.destroy());
        origin.on("error", () => client.destroy());
      }),
    );
  }

  /** In place of a host: everything is taken, and answered with nothing. */
  static sink(): Promise<Wire> {
    return Wire.listen((keep) =>
      createServer((client) => {
        client.on("error", () => client.destroy());
        client.on("data", (data) => {
          keep(data as Buffer);
          client.end("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        });
      }),
    );
  }

  private static async listen(make: (keep: (data: Buffer) => void) => Server): Promise<Wire> {
    const chunks: Buffer[] = [];
    const server = make((data) => void chunks.push(data));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new Wire(server, (server.address() as AddressInfo).port, chunks);
  }

  close(): void {
    this.server.close();
  }
}

/** A UDP port that counts packets, as a STUN server would get them. */
export class UdpSink {
  packets = 0;
  private constructor(private readonly socket: UdpSocket) {
    socket.on("message", () => (this.packets += 1));
  }

  get port(): number {
    return this.socket.address().port;
  }

  static async open(): Promise<UdpSink> {
    const socket = createSocket("udp4");
    await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
    return new UdpSink(socket);
  }

  close(): void {
    this.socket.close();
  }
}
