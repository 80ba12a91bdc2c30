/** What we use of the package `x11`, which brings no types. */
declare module 'x11' {
  namespace x11 {
    type Reply<T> = (error: Error | null | undefined, value: T) => boolean;
    type Property = { readonly type: number; readonly format: number; readonly data: Buffer };
    type Extension = { readonly firstEvent: number };
    type X11Event = {
      readonly name?: string;
      readonly wid?: number;
      readonly atom?: number;
      readonly alarm?: number;
      readonly overrideRedirect?: boolean | number;
    };
    type Counter = { readonly counter: number; readonly name: string };
    type Sync = Extension & {
      ListSystemCounters(reply: Reply<readonly Counter[]>): void;
      QueryCounter(counter: number, reply: Reply<number>): void;
      CreateAlarm(
        id: number,
        values: {
          readonly counter: number;
          readonly valueType: number;
          readonly value: number;
          readonly testType: number;
          readonly delta: number;
          readonly events: boolean;
        },
      ): void;
      DestroyAlarm(id: number): void;
    };
    type ScreenSaver = Extension & {
      QueryInfo(drawable: number, reply: Reply<{ readonly idle: number }>): void;
    };
    type Rectangle = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
    type RandR = Extension & {
      GetScreenResourcesCurrent(window: number, reply: Reply<{ readonly crtcs: readonly number[] }>): void;
      GetCrtcInfo(crtc: number, configTime: number, reply: Reply<Rectangle & { readonly mode: number }>): void;
    };
    type Geometry = { readonly width: number; readonly height: number };
    type Attributes = { readonly mapState: number; readonly overrideRedirect: number; readonly klass: number };
    type Client = {
      on(event: 'event', listener: (event: X11Event) => void): void;
      on(event: 'error', listener: (error: Error) => void): void;
      on(event: 'end', listener: () => void): void;
      readonly stream?: {
        emit: (event: string, ...values: unknown[]) => boolean;
        destroy(): void;
        unref(): void;
        on(event: 'close', listener: () => void): void;
      };
      require(name: 'sync', reply: Reply<Sync>): void;
      require(name: 'screen-saver', reply: Reply<ScreenSaver>): void;
      require(name: 'randr', reply: Reply<RandR>): void;
      atoms: Record<string, number>;
      AllocID(): number;
      ReleaseID(id: number): void;
      InternAtom(onlyIfExists: boolean, name: string, reply: Reply<number>): void;
      GetProperty(
        remove: number,
        window: number,
        name: number,
        type: number,
        offset: number,
        words: number,
        reply: Reply<Property>,
      ): void;
      GetWindowAttributes(window: number, reply: Reply<Attributes>): void;
      GetGeometry(window: number, reply: Reply<Geometry>): void;
      TranslateCoordinates(
        from: number,
        to: number,
        x: number,
        y: number,
        reply: Reply<{ readonly destX: number; readonly destY: number }>,
      ): void;
      QueryTree(window: number, reply: Reply<{ readonly children: readonly number[] }>): void;
      ChangeWindowAttributes(window: number, values: { readonly eventMask: number }, done: Reply<unknown>): void;
    };
    type Display = { readonly client: Client; readonly screen: readonly { readonly root: number }[] };
    function createClient(
      options: { readonly display: string; readonly shm: false; readonly disableBigRequests: true },
      ready: (error: Error | undefined, display: Display) => void,
    ): Client;
  }
  export = x11;
}
