%%% Texts are in the language of who asks: of his stanza, else of his stream. They come and go with the plugin,
%%% and ejabberd's own stay as they are.
-module(languages_SUITE).

-include_lib("stdlib/include/assert.hrl").

-export([all/0, groups/0, init_per_suite/1, end_per_suite/1]).
-export([
    descriptions_are_in_the_language_of_the_stream/1,
    errors_are_in_the_language_of_the_stream/1,
    a_stanza_may_be_in_another_language/1,
    texts_have_their_arguments/1,
    posts_are_not_translated/1,
    words_that_ejabberd_forgets_come_back/1,
    words_go_with_the_last_vhost/1,
    what_ejabberd_says_itself_stays/1,
    no_error_was_logged/1,
    a_broken_file_costs_its_language/1,
    without_files_all_is_english/1
]).

-define(MINE, <<"/twitter/MyStream">>).
-define(GERMAN, <<"Ihre Beiträge: Veröffentlichen Sie hier"/utf8>>).
-define(FRENCH, <<"Vos messages : publiez ici"/utf8>>).
-define(SPANISH, <<"Tus mensajes: publica aquí"/utf8>>).
-define(ENGLISH, <<"Your posts: publish here">>).

all() ->
    [
        {group, texts},
        words_that_ejabberd_forgets_come_back,
        words_go_with_the_last_vhost,
        what_ejabberd_says_itself_stays,
        no_error_was_logged,
        a_broken_file_costs_its_language,
        without_files_all_is_english
    ].

groups() ->
    [
        {texts, [parallel], [
            descriptions_are_in_the_language_of_the_stream,
            errors_are_in_the_language_of_the_stream,
            a_stanza_may_be_in_another_language,
            texts_have_their_arguments,
            posts_are_not_translated
        ]}
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config, #{
        hosts => [<<"localhost">>, <<"other.localhost">>], twitter => #{max_post_size => 1000}
    }).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

%%% Cases

descriptions_are_in_the_language_of_the_stream(Config) ->
    [
        ?assertEqual({Lang, Description}, {Lang, description(speaking(Config, Lang), ?MINE)})
     || {Lang, Description} <- [
            {<<"de">>, ?GERMAN},
            {<<"de-AT">>, ?GERMAN},
            {<<"fr">>, ?FRENCH},
            {<<"fr-CA">>, ?FRENCH},
            {<<"es">>, ?SPANISH},
            {<<"en">>, ?ENGLISH},
            {<<"en-GB">>, ?ENGLISH},
            {<<"tlh">>, ?ENGLISH}
        ]
    ],
    [Silent] = twitter_cases:strangers(Config, [<<"alice">>]),
    ?assertEqual(?ENGLISH, description(Silent, ?MINE)).

errors_are_in_the_language_of_the_stream(Config) ->
    [
        begin
            Client = speaking(Config, Lang),
            ?assertEqual(Empty, twitter_answers:error_text(publish(Client, <<>>))),
            %% ejabberd has said this for long.
            ?assertEqual(NotFound, twitter_answers:error_text(twitter_requests:info(Client, <<"/twitter/Nothing">>)))
        end
     || {Lang, Empty, NotFound} <- [
            {<<"de">>, <<"Der Eintrag ist leer">>, <<"Knoten nicht gefunden">>},
            {<<"fr">>, <<"L'élément est vide"/utf8>>, <<"Nœud non trouvé"/utf8>>},
            {<<"es">>, <<"El elemento está vacío"/utf8>>, <<"Nodo no encontrado">>},
            {<<"tlh">>, <<"The item is empty">>, <<"Node not found">>}
        ]
    ].

a_stanza_may_be_in_another_language(Config) ->
    Client = speaking(Config, <<"de">>),
    Ask = fun(Lang) ->
        twitter_client:request(Client, [
            <<"<iq type='get' to='pubsub.localhost' xml:lang='">>, Lang, <<"'>">>,
            <<"<query xmlns='http://jabber.org/protocol/disco#info' node='/twitter/MyStream'/></iq>">>
        ])
    end,
    ?assertEqual(?FRENCH, description(Ask(<<"fr">>))),
    ?assertEqual(?ENGLISH, description(Ask(<<"en">>))),
    ?assertEqual(?GERMAN, description(Client, ?MINE)).

%% Letters that are several bytes, before and after what is filled in.
texts_have_their_arguments(Config) ->
    Text = fun(Client, Payload) -> twitter_answers:error_text(publish(Client, Payload)) end,
    Big = binary:copy(<<"x">>, 1001),
    ?assertEqual(<<"Der Beitrag ist größer als 1000 Bytes"/utf8>>, Text(speaking(Config, <<"de">>), Big)),
    ?assertEqual(<<"Le message dépasse 1000 octets"/utf8>>, Text(speaking(Config, <<"fr">>), Big)),
    Stranger = {speaking(Config, <<"de">>), <<"pubsub.other.localhost">>},
    ?assertEqual(<<"Nur Benutzer von other.localhost können hier veröffentlichen"/utf8>>, Text(Stranger, <<"Hello">>)).

%% Not even one that reads as a text of ours.
posts_are_not_translated(Config) ->
    Alice = speaking(Config, <<"de">>),
    Id = twitter_requests:publish(Alice, <<"The item is empty">>),
    ?assertEqual([{<<?MINE/binary, "/", Id/binary>>, <<"The item is empty">>}], twitter_reading:rows(Alice, ?MINE)),
    ?assertEqual(<<"The item is empty">>, description(Alice, <<?MINE/binary, "/", Id/binary>>)).

words_that_ejabberd_forgets_come_back(Config) ->
    Server = twitter_cases:server(Config),
    Alice = speaking(Config, <<"de">>),
    Before = words(Server),
    ok = twitter_server:call(Server, translate, reload, []),
    ?assert(length(words(Server)) < length(Before)),
    ?assertEqual(?GERMAN, description(Alice, ?MINE)),
    ?assertEqual(Before, words(Server)),
    Former = twitter_inside:kill(Server, translate),
    ok = twitter_inside:await_other(Server, translate, Former),
    ?assertEqual(?GERMAN, description(Alice, ?MINE)),
    ?assertEqual(Before, words(Server)),
    ok = twitter_server:reload(Server, #{twitter => #{max_post_size => 2000}}),
    ?assertEqual(?GERMAN, description(Alice, ?MINE)).

words_go_with_the_last_vhost(Config) ->
    Server = twitter_cases:server(Config),
    With = words(Server),
    ok = stop(Server, <<"other.localhost">>),
    ?assertEqual(With, words(Server)),
    ok = stop(Server, <<"localhost">>),
    Without = words(Server),
    ok = twitter_server:call(Server, translate, reload, []),
    ?assertEqual(Without, words(Server)),
    Item = <<"The item is empty">>,
    ?assertEqual(Item, twitter_server:call(Server, translate, translate, [<<"de">>, Item])),
    start_all(Server),
    ?assertEqual(With, words(Server)).

what_ejabberd_says_itself_stays(Config) ->
    Server = twitter_cases:server(Config),
    Own = {{<<"de">>, <<"The item is empty">>}, <<"So sagt es ejabberd">>},
    Same = {{<<"fr">>, <<"The item is empty">>}, <<"L'élément est vide"/utf8>>},
    stop_all(Server),
    true = twitter_server:call(Server, ets, insert, [translations, [Own, Same]]),
    start_all(Server),
    Alice = speaking(Config, <<"de">>),
    ?assertEqual(<<"So sagt es ejabberd">>, twitter_answers:error_text(publish(Alice, <<>>))),
    stop_all(Server),
    ?assertEqual([], [Own, Same] -- words(Server)),
    ok = twitter_server:call(Server, translate, reload, []),
    start_all(Server).

no_error_was_logged(Config) ->
    %% Of the process of ejabberd that was killed.
    twitter_cases:no_error_but_of_killed_processes(Config).

a_broken_file_costs_its_language(Config) ->
    Server = with_copy(Config, ?FUNCTION_NAME, fun(Msgs) ->
        ok = file:write_file(filename:join(Msgs, "de.msg"), <<"{\"The item is empty\", \"Der Eintrag\n">>),
        ok = file:write_file(filename:join(Msgs, "es.msg"), <<"{\"The item is empty\", \"\xff\"}.\n{gone}.\n">>)
    end),
    Here = [{server, Server}],
    ?assertEqual(?ENGLISH, description(speaking(Here, <<"de">>), ?MINE)),
    ?assertEqual(?ENGLISH, description(speaking(Here, <<"es">>), ?MINE)),
    ?assertEqual(?FRENCH, description(speaking(Here, <<"fr">>), ?MINE)),
    [German, Spanish] = twitter_log:errors(twitter_server:log(Server)),
    ?assertMatch({match, _}, re:run(German, "de\\.msg cannot be read")),
    ?assertMatch({match, _}, re:run(Spanish, "es\\.msg cannot be read")),
    ok = twitter_server:stop(Server).

without_files_all_is_english(Config) ->
    Server = with_copy(Config, ?FUNCTION_NAME, fun(Msgs) -> ok = file:del_dir_r(Msgs) end),
    ?assertEqual(?ENGLISH, description(speaking([{server, Server}], <<"de">>), ?MINE)),
    ?assertEqual([], twitter_log:errors(twitter_server:log(Server))),
    ?assertMatch({match, _}, re:run(twitter_server:log(Server), "no translations in .*msgs")),
    ok = twitter_server:stop(Server).

%%% Helpers

%% A client of a fresh user, whose stream is in this language.
speaking(Config, Lang) ->
    Server = twitter_cases:server(Config),
    twitter_users:login(Server, twitter_users:fresh(Server, <<"alice">>), #{lang => Lang}).

description(Client, Node) ->
    description(twitter_requests:info(Client, Node)).

description(Answer) ->
    #{<<"pubsub#description">> := [Description]} = twitter_answers:form(Answer),
    Description.

publish(Place, Text) ->
    Item = twitter_requests:el(<<"item">>, [], [{xmlcdata, Text}]),
    twitter_requests:pubsub(Place, set, [twitter_requests:el(<<"publish">>, [{<<"node">>, ?MINE}], [Item])]).

%% All that ejabberd can translate.
words(Server) ->
    lists:sort(twitter_server:call(Server, ets, tab2list, [translations])).

stop_all(Server) ->
    lists:foreach(fun(Host) -> ok = stop(Server, Host) end, twitter_server:hosts(Server)).

start_all(Server) ->
    lists:foreach(fun(Host) -> ok = start(Server, Host) end, twitter_server:hosts(Server)).

stop(Server, Host) ->
    twitter_server:call(Server, gen_mod, stop_module, [Host, mod_twitter]).

start(Server, Host) ->
    {ok, _} = twitter_server:call(Server, gen_mod, start_module, [Host, mod_twitter]),
    ok.

%% A server with a copy of the plugin whose translations were changed.
with_copy(Config, Name, Change) ->
    Plugin = filename:dirname(filename:dirname(code:which(mod_twitter))),
    Copy = filename:join([proplists:get_value(priv_dir, Config), atom_to_list(Name), "plugin"]),
    Msgs = filename:join([Copy, "priv", "twitter_msgs"]),
    ok = filelib:ensure_path(filename:join(Copy, "ebin")),
    ok = filelib:ensure_path(Msgs),
    [
        {ok, _} = file:copy(File, filename:join(Copy, string:prefix(File, Plugin ++ "/")))
     || Pattern <- ["ebin/*", "priv/*.so", "priv/twitter_msgs/*"], File <- filelib:wildcard(filename:join(Plugin, Pattern))
    ],
    ok = Change(Msgs),
    {ok, Server} = twitter_server:start(#{
        dir => proplists:get_value(priv_dir, Config),
        name => atom_to_list(Name),
        plugin => false,
        env => [{"ERL_FLAGS", "-pa " ++ filename:join(Copy, "ebin")}],
        pubsub => #{nodetree => twitter},
        twitter => #{}
    }),
    Server.
