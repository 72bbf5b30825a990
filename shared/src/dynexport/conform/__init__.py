"""Does a program keep the contract? Rules over what was heard on a broker, for `dynexport conform`."""
