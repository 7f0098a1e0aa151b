%%% When mod_twitter is gone, the server is as before: nothing of it is left behind.
-module(traces_SUITE).

-export([all/0, init_per_suite/1, end_per_suite/1]).
-export([nothing_is_left_of_mod_twitter/1, nothing_is_left_of_processes_that_were_killed/1]).

-define(PLAIN, <<"plain.localhost">>).

all() ->
    [nothing_is_left_of_mod_twitter, nothing_is_left_of_processes_that_were_killed].

%% The other vhost has no microblogs, only friends of those who have.
init_per_suite(Config) ->
    Plain = #{mod_caps => #{}, mod_disco => #{}, mod_ping => #{}, mod_privacy => #{}, mod_roster => #{}},
    twitter_cases:start(Config, #{
        twitter => absent,
        hosts => [<<"localhost">>, ?PLAIN],
        options => #{host_config => #{?PLAIN => #{modules => Plain}}}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

nothing_is_left_of_mod_twitter(Config) ->
    nothing_is_left(Config, fun(_Server) -> ok end).

%% Each was killed once; a killed process cannot put anything away.
nothing_is_left_of_processes_that_were_killed(Config) ->
    nothing_is_left(Config, fun(Server) ->
        [
            ok = twitter_inside:await_other(Server, Name, twitter_inside:kill(Server, Name))
         || Name <- [twitter_sessions_localhost, twitter_watch_localhost, twitter_inbox_localhost]
        ]
    end).

nothing_is_left(Config, Meanwhile) ->
    Server = twitter_cases:server(Config),
    %% What the server makes up at its first use is there before.
    ok = twitter_ordinary:check(Server),
    Before = traces(Server),
    ok = twitter_server:reload(Server, #{twitter => #{}}),
    Now = traces(Server),
    [] = [Trace || {Trace, Same} <- Before, lists:keyfind(Trace, 1, Now) =:= {Trace, Same},
                   lists:member(Trace, [hooks, handlers, names, terms, processes, tables, listeners])],
    Alice = twitter_users:login(Server, twitter_users:fresh(Server, <<"alice">>)),
    %% He is online before, meanwhile and after.
    Dave = twitter_users:fresh(Server, <<"dave">>, ?PLAIN),
    ok = twitter_users:befriend(Server, twitter_cases:user(Alice), Dave),
    Client = twitter_users:login(Server, Dave),
    _ = Meanwhile(Server),
    Id = twitter_requests:publish(Alice, <<"Hello">>),
    _ = twitter_client:expect(Client, twitter_events:is_event(<<"/twitter/FriendsStream">>, Id)),
    [_] = twitter_reading:entries(Alice, <<"/twitter/MyStream">>),
    ok = twitter_client:close(Alice),
    ok = twitter_server:reload(Server, #{twitter => absent}),
    After = traces(Server),
    [] = [{Trace, Left -- Was, Was -- Left} || {{Trace, Was}, {Trace, Left}} <- lists:zip(Before, After), Was =/= Left],
    _ = twitter_client:sync(Client),
    ok = twitter_client:close(Client),
    ok = twitter_ordinary:check(Server).

%% Whatever a module could leave behind.
traces(Server) ->
    Call = fun(Module, Function, Args) -> twitter_server:call(Server, Module, Function, Args) end,
    [{listeners, lists:sort(Call(mnesia, table_info, [privacy, subscribers]))} || twitter_server:storage(Server) =:= mnesia] ++ [
        %% A hook that once had a handler leaves an empty list; that is ejabberd's own. Newer ones know subscribers, too.
        {hooks, lists:sort([Hook || Hook <- Call(ets, tab2list, [hooks]), element(2, Hook) =/= []])},
        {handlers, lists:sort(Call(ets, tab2list, [ejabberd_local]))},
        {handlers_of_accounts, lists:sort(Call(ets, tab2list, [ejabberd_sm]))},
        {routes, lists:sort(Call(ejabberd_router, get_all_routes, []))},
        {names, ours(Call(erlang, registered, []))},
        {tables, ours([Call(ets, info, [Table, name]) || Table <- Call(ets, all, [])])},
        {terms, ours([
            %% The logger remembers each module that logs.
            Key || {Key, _} <- Call(persistent_term, get, []), element(1, Key) =/= logger_config
        ])},
        {processes, ours([
            {Call(proc_lib, initial_call, [Pid]), Call(erlang, process_info, [Pid, registered_name])}
         || Pid <- Call(erlang, processes, [])
        ])},
        {modules, ours(Call(gen_mod, loaded_modules, [<<"localhost">>]))},
        {children, ours([Id || {Id, _, _, _} <- Call(supervisor, which_children, [ejabberd_gen_mod_sup])])}
    ].

ours(Terms) ->
    lists:sort([Term || Term <- Terms, nomatch =/= string:find(io_lib:format("~w", [Term]), "twitter")]).
