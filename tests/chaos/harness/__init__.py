"""What the chaos suite is made of.

    async def test_nothing_is_lost_when_the_link_is_cut(trial: Trial, broker_url: str) -> None:
        async with proxy_to(broker_url) as proxy, open_scene(trial, broker_url, "sqlite", latency=0.4) as scene:
            through = with_address(broker_url, port=proxy.port)
            await scene.worker(f"sqlite:///{trial.folder}/ledger.db", broker_url=through)
            await scene.traffic.publish(requests(500))
            for _ in range(5):
                await scene.traffic.until_answered(scene.traffic.answered + trial.random.randrange(80), silence=60)
                proxy.cut()
            await scene.conclude("5 cuts")

`conclude` waits for the results, stops the workers, judges, notes the figures and fails where a promise of spec
section 5 was broken.
"""
