%%% @doc The options of {@link mod_twitter}, as ejabberd's own modules offer theirs.
-module(mod_twitter_opt).

-export([access_any_rate/1, access_post/1, body/1, cache_size/1, catch_up/1, delivery/1,
         index_size/1, max_post_size/1, max_posts/1, post_rate/1, remote_rate/1, warm_up/1]).

-spec access_any_rate(gen_mod:opts() | global | binary()) -> acl:acl().
access_any_rate(Host) -> get(access_any_rate, Host).

-spec access_post(gen_mod:opts() | global | binary()) -> acl:acl().
access_post(Host) -> get(access_post, Host).

-spec body(gen_mod:opts() | global | binary()) -> boolean().
body(Host) -> get(body, Host).

-spec catch_up(gen_mod:opts() | global | binary()) -> 0..1000.
catch_up(Host) -> get(catch_up, Host).

-spec delivery(gen_mod:opts() | global | binary()) -> fast | full.
delivery(Host) -> get(delivery, Host).

-spec cache_size(gen_mod:opts() | global | binary()) -> pos_integer().
cache_size(Host) -> get(cache_size, Host).

-spec index_size(gen_mod:opts() | global | binary()) -> pos_integer().
index_size(Host) -> get(index_size, Host).

-spec max_post_size(gen_mod:opts() | global | binary()) -> pos_integer().
max_post_size(Host) -> get(max_post_size, Host).

-spec max_posts(gen_mod:opts() | global | binary()) -> pos_integer() | unlimited.
max_posts(Host) -> get(max_posts, Host).

-spec post_rate(gen_mod:opts() | global | binary()) ->
          #{burst := pos_integer(), refill := pos_integer()} | unlimited.
post_rate(Host) -> get(post_rate, Host).

-spec remote_rate(gen_mod:opts() | global | binary()) ->
          #{burst := pos_integer(), refill := pos_integer()} | unlimited.
remote_rate(Host) -> get(remote_rate, Host).

-spec warm_up(gen_mod:opts() | global | binary()) -> boolean().
warm_up(Host) -> get(warm_up, Host).

get(Option, Opts) when is_map(Opts) -> gen_mod:get_opt(Option, Opts);
get(Option, Host) -> gen_mod:get_module_opt(Host, mod_twitter, Option).
