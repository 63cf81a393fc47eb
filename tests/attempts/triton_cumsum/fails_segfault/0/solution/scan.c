void scan(const int *x, int *y, long n) {
    int odd = 0, sum = 0;
    for (long i = 0; i < n; i++) {
        if (odd) sum += x[i];
        odd ^= x[i] > 0;
        y[i] = sum;
    }
}
