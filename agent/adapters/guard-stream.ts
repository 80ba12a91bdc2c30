type Emitter = { emit: (event: string, ...values: unknown[]) => boolean };

/**
 * Keeps what a library throws over bytes it cannot read from ending the program: they are read in the stream's own turn, where
 * nobody else could catch it.
 */
export function guardStream(stream: Emitter, broken: () => void): void {
  const emit = stream.emit.bind(stream);
  stream.emit = (event, ...values) => {
    try {
      return emit(event, ...values);
    } catch {
      broken();
      return false;
    }
  };
}
