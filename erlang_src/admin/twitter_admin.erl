%%% @doc What an admin does with a user's microblog, for {@link twitter_commands}. What changes posts goes
%%% the way of a client's request, as if the user had asked for it himself, but for the limits on posting.
%%%
%%% What cannot be done is `{error, Kind, Code, Text}', as ejabberd's own commands have it.
-module(twitter_admin).

-include_lib("xmpp/include/xmpp.hrl").

-export([post/3, delete_post/3, timeline/3, export/2, purge_user/2, move_posts/2, stats/1, reload/1]).

-type user() :: binary().
-type host() :: binary().
-type failure() :: {error, atom(), pos_integer(), string()}.

-define(NS_UNREAD, <<"urn:ejabberd:twitter:unread">>).
%% Codes of errors, beside ejabberd's own.
-define(NO_USER, 10101).
-define(NO_SERVICE, 10102).
-define(REFUSED, 10103).
-define(NO_STORAGE, 10104).

%% @doc Posts a text in a user's name; returns the id of the post.
-spec post(user(), host(), Text :: binary()) -> binary() | failure().
post(User, Host, Text) ->
    acting(User, Host, fun(Reader) -> twitter_effect:post(Reader, Text) end).

%% @doc Deletes a post.
-spec delete_post(user(), host(), Id :: binary()) -> {ok, string()} | failure().
delete_post(User, Host, Id) ->
    acting(User, Host,
           fun(Reader) ->
                   ok = twitter_effect:delete(Reader, Id),
                   {ok, "The post is deleted"}
           end).

%% @doc The newest posts that the user's friends have published, as he may read them now, newest first. They are
%% numbered, for the HTTP API of newer ejabberds sorts what is in a list.
-spec timeline(user(), host(), Count :: non_neg_integer()) ->
          [{Number :: pos_integer(), Author :: binary(), Id :: binary(), Published :: binary(), Text :: binary()}]
              | failure().
timeline(User, Host, Count) ->
    acting(User, Host,
           fun(Reader) ->
                   Lines = pages(stream(Reader, friends), first_page, Count),
                   [erlang:insert_element(1, Line, Number) || {Number, Line} <- lists:enumerate(Lines)]
           end).

pages(_View, _Anchor, Left) when Left =< 0 ->
    [];
pages(View, Anchor, Left) ->
    case twitter_items:page(View, {newest_first, Anchor, Left}, fun line/1) of
        {[], _} ->
            [];
        {Lines, {_, _First, Last, _, _}} ->
            Lines ++ pages(View, {'after', Last}, Left - length(Lines))
    end.

line(#{author := Author, id := Id, at := At, payload := Payload}) ->
    {Author, Id, xmpp_util:encode_timestamp(At), twitter_post:text(Payload)}.

%% @doc All that is stored of a user, as JSON; also of one whose account is gone.
-spec export(user(), host()) -> binary() | failure().
export(User, Host) ->
    serving(User, Host,
            fun(#jid{} = Author, #{host := PubsubHost}) ->
                    Name = jid:encode(Author),
                    Posts = lists:map(fun exported/1, twitter_store:all(PubsubHost, Name)),
                    twitter_nif:export(Name, settings(Author), marks(Author), Posts)
            end).

settings(User) ->
    case twitter_settings:stored(User) of
        {ok, #{pushes := Pushes, bodies := Bodies, catch_up := CatchUp, muted := Muted}} ->
            {Pushes, Bodies, CatchUp, [{Friend, until(Until)} || {Friend, Until} <- Muted]};
        none ->
            undefined;
        {error, unavailable} ->
            unreadable()
    end.

until(forever) -> undefined;
until(Micros) ->
    Seconds = Micros div 1_000_000,
    xmpp_util:encode_timestamp({Seconds div 1_000_000, Seconds rem 1_000_000, Micros rem 1_000_000}).

%% What he has read, at each pubsub host.
marks(#jid{lserver = LServer} = User) ->
    case twitter_private:is_available(LServer) andalso twitter_private:read(User, ?NS_UNREAD) of
        {ok, #xmlel{children = Children}} ->
            [{fxml:get_tag_attr_s(<<"host">>, Mark), fxml:get_tag_cdata(Mark)} || #xmlel{} = Mark <- Children];
        {error, unavailable} ->
            unreadable();
        _ ->
            []
    end.

exported({#{id := Id, at := At, payload := Payload}, Changed}) ->
    {Id, xmpp_util:encode_timestamp(At), xmpp_util:encode_timestamp(Changed), twitter_post:readable(Payload)}.

%% @doc Deletes all that is stored of a user; also of one whose account is gone. His friends' clients are
%% told.
-spec purge_user(user(), host()) -> {ok, string()} | failure().
purge_user(User, Host) ->
    serving(User, Host,
            fun(#jid{luser = LUser, lserver = LServer} = Author, #{host := PubsubHost} = Service) ->
                    case ejabberd_auth:user_exists(LUser, LServer) of
                        true ->
                            Reader = twitter_reader:local(Author, Service, ejabberd_option:language()),
                            Purge = iq(Reader, #pubsub_owner{purge = mine()}),
                            _ = twitter_publish:purge(stream(Reader, mine), Purge),
                            ok;
                        false ->
                            Name = jid:encode(Author),
                            Delete = fun() -> twitter_store:delete_node(PubsubHost, Author) end,
                            checked(twitter_writer:run(Service, Name, Delete))
                    end,
                    checked(twitter_settings:reset(Author, Service)),
                    {ok, "Posts, settings and read marks are deleted"}
            end).

-spec checked(ok | {error, unavailable | #stanza_error{}}) -> ok.
checked(ok) -> ok;
checked({error, unavailable}) -> unreadable();
checked({error, Error}) -> throw({refused, Error}).

-spec unreadable() -> no_return().
unreadable() ->
    twitter_error:refuse(storage_failed, ejabberd_option:language()).

%% @doc Copies or moves all posts of a vhost to that database: {@link twitter_move}.
-spec move_posts(host(), To :: binary()) -> {ok, string()} | failure().
move_posts(Host, <<"mnesia">>) -> move_to(Host, mnesia);
move_posts(Host, <<"sql">>) -> move_to(Host, sql);
move_posts(_Host, _To) -> {error, refused, ?REFUSED, "Posts can be moved to mnesia, or to sql"}.

move_to(Host, To) ->
    loaded(Host,
           fun(ServerHost) ->
                   case twitter_service:all(ServerHost) of
                       [] -> no_service();
                       Services ->
                           try
                               moved([twitter_move:posts(Service, To) || Service <- Services])
                           catch
                               throw:{refused, Error} ->
                                   {error, refused, ?REFUSED, binary_to_list(xmpp:format_stanza_error(Error))};
                               exit:{aborted, Reason} ->
                                   {error, refused, ?NO_STORAGE,
                                    lists:flatten(io_lib:format("Storage cannot be read: ~0tP", [Reason, 12]))}
                           end
                   end
           end).

moved([{error, not_configured} | _]) ->
    {error, refused, ?REFUSED, "There is no SQL database: set sql_type, sql_server and the like"};
moved([#{kind := Kind} | _] = Results) ->
    [Authors, Posts, Left] = [lists:sum([maps:get(What, Result) || Result <- Results])
                              || What <- [authors, posts, left]],
    Text = lists:flatten(io_lib:format("~b posts of ~b authors are ~ts", [Posts, Authors, Kind])),
    case Left of
        0 -> {ok, Text};
        _ -> {error, refused, ?REFUSED,
              lists:flatten(io_lib:format("~ts; those of ~b authors are not: see the log", [Text, Left]))}
    end.

%% @doc Numbers about a vhost.
-spec stats(host()) -> [{Name :: binary(), non_neg_integer()}] | failure().
stats(Host) ->
    loaded(Host, fun twitter_stats:all/1).

%% @doc Forgets what is in memory, and reads it anew.
-spec reload(host()) -> {ok, string()} | failure().
reload(Host) ->
    loaded(Host, fun(ServerHost) ->
                         ok = twitter_service:reload(ServerHost),
                         ok = twitter_cluster:forget(ServerHost),
                         {ok, "What was in memory is read anew"}
                 end).

%%% Helpers

acting(User, Host, Fun) ->
    serving(User, Host,
            fun(#jid{luser = LUser, lserver = LServer} = Jid, Service) ->
                    case ejabberd_auth:user_exists(LUser, LServer) of
                        true -> Fun(twitter_reader:local(Jid, Service, ejabberd_option:language()));
                        false -> {error, not_exists, ?NO_USER, "There is no such user"}
                    end
            end).

loaded(Host, Fun) ->
    case jid:nameprep(Host) of
        LServer when is_binary(LServer) ->
            case ejabberd_router:is_my_host(LServer) andalso gen_mod:is_loaded(LServer, mod_twitter) of
                true -> Fun(LServer);
                false -> no_service()
            end;
        error ->
            no_service()
    end.

%% The first pubsub host of the vhost is the one of which people know.
serving(User, Host, Fun) ->
    case jid:make(User, Host) of
        #jid{luser = LUser, lserver = LServer} = Jid when LUser =/= <<>> ->
            case ejabberd_router:is_my_host(LServer) andalso twitter_service:all(LServer) of
                [Service | _] ->
                    try
                        Fun(Jid, Service)
                    catch
                        throw:{refused, Error} ->
                            {error, refused, ?REFUSED, binary_to_list(xmpp:format_stanza_error(Error))};
                        exit:{_, {gen_server, call, _}} ->
                            {error, no_service, ?NO_STORAGE, "The microblogs are not served at this moment"}
                    end;
                _ ->
                    no_service()
            end;
        _ ->
            {error, not_exists, ?NO_USER, "There is no such user"}
    end.

no_service() ->
    {error, no_service, ?NO_SERVICE, "There are no microblogs on this host"}.

stream(Reader, Stream) ->
    twitter_view:open(Reader, {stream, Stream}).

mine() ->
    twitter_path:id({stream, mine}).

%% The request that a client would send.
iq(#{jid := Jid, lang := Lang, service := #{host := Host}}, Request) ->
    #iq{type = set, id = twitter_publish:new_id(), from = Jid, to = jid:make(Host), lang = Lang,
        sub_els = [Request]}.
