%%% @doc The one who asks: who he is to this service.
-module(twitter_reader).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/1, publisher/1]).
-export_type([reader/0]).

-type reader() :: #{jid := jid:jid(), name := twitter_nif:jid(), from := jid:jid(),
                    host := binary(), server_host := binary(), lang := binary()}.

%% @doc The sender of a request to a pubsub host: `jid' is bare, `name' the same as text, `from' as
%% it came.
-spec new(iq()) -> reader().
new(#iq{from = From, to = #jid{lserver = Host}, lang = Lang}) ->
    Bare = jid:remove_resource(jid:make(jid:tolower(From))),
    #{jid => Bare, name => jid:encode(Bare), from => From, host => Host,
      server_host => ejabberd_router:host_of_route(Host), lang => Lang}.

%% @doc The same one as a publisher; refused unless he is a registered user of the vhost.
-spec publisher(reader()) -> jid:jid().
publisher(#{jid := #jid{luser = LUser, lserver = Server} = Jid, server_host := Server, lang := Lang})
  when LUser =/= <<>> ->
    case is_anonymous(LUser, Server) of
        true -> twitter_error:refuse(anonymous_publisher, Lang);
        false -> Jid
    end;
publisher(#{lang := Lang}) ->
    twitter_error:refuse(remote_publisher, Lang).

%% Both names occur: one for SASL ANONYMOUS, one for a login under any name.
is_anonymous(LUser, Server) ->
    lists:any(fun({_Resource, Info}) ->
                      lists:member(proplists:get_value(auth_module, Info),
                                   [anonymous, ejabberd_auth_anonymous])
              end, ejabberd_sm:get_user_info(LUser, Server)).
